-- A key, with its text made a number if it looks like one.
CREATE OR REPLACE FUNCTION _pando.loosen(key text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	IF left(key, 1) = '2' THEN
		RETURN _pando.loose_key(substr(key, 2));
	END IF;
	RETURN key;
END $$
