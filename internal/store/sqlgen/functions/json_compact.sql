-- JSON text without the blanks between its parts.
CREATE OR REPLACE FUNCTION _pando.json_compact(t text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	IF t ~ '[ \t\n\r]' THEN
		RETURN regexp_replace(t, '("(?:[^"\\]|\\.)*")|[ \t\n\r]+', '\1', 'g');
	END IF;
	RETURN t;
END $$
