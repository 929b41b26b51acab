-- The key of a text that becomes a number if it looks like one.
CREATE OR REPLACE FUNCTION _pando.loose_key(t text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	IF _pando.is_number(t) THEN
		RETURN _pando.decimal_key(btrim(t, E' \t\n\v\f\r'));
	END IF;
	RETURN '2' || t;
END $$
