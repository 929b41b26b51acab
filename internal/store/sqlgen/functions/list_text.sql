-- A list as the JSON text that Pando writes.
CREATE OR REPLACE FUNCTION _pando.list_text(list text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	t text := array_to_json(list)::text;
BEGIN
	IF t ~ '[<>&\u2028\u2029]' THEN
		t := replace(replace(replace(t, '<', '\u003c'), '>', '\u003e'), '&', '\u0026');
		t := replace(replace(t, U&'\2028', '\u2028'), U&'\2029', '\u2029');
	END IF;
	RETURN t;
END $$
