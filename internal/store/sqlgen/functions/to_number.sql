-- The number that a text looks like; null if it looks like none.
CREATE OR REPLACE FUNCTION _pando.to_number(t text) RETURNS float8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	IF _pando.is_number(t) THEN
		RETURN _pando.to_real(btrim(t, E' \t\n\v\f\r'));
	END IF;
	RETURN NULL;
END $$
