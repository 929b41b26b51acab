-- The date that Pando writes as t; an empty text is none.
CREATE OR REPLACE FUNCTION _pando.to_date(t text) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	IF t = '' THEN
		RETURN NULL;
	ELSIF left(t, 4) = '0000' THEN
		RETURN ('0001' || substr(t, 5) || ' BC')::timestamptz;
	END IF;
	RETURN t::timestamptz;
END $$
