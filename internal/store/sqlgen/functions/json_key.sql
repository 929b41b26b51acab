-- What stands at a path, as a text that sorts as SQLite sorts such values and is
-- equal where they are: numbers before texts, true and false as 1 and 0, lists
-- and objects as their text.
CREATE OR REPLACE FUNCTION _pando.json_key(doc json, path text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	v json := _pando.json_at(doc, path);
	t text;
BEGIN
	CASE json_typeof(v)
	WHEN 'string' THEN RETURN '2' || (v #>> '{}');
	WHEN 'number' THEN
		t := btrim(v::text, E' \t\n\r');
		IF length(t) < 16 AND t !~ '[eE]' THEN -- a double holds it as it is
			RETURN _pando.number_key(t::float8);
		END IF;
		RETURN _pando.decimal_key(t);
	WHEN 'boolean' THEN RETURN _pando.number_key((v::text ~ 'true')::int);
	WHEN 'object', 'array' THEN RETURN '2' || _pando.json_compact(CASE path WHEN '{}' THEN doc ELSE v END::text);
	ELSE RETURN NULL;
	END CASE;
END $$
