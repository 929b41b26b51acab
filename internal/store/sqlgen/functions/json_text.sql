-- What stands at a path, as SQLite shows it. A whole document that is a number
-- is one of the column, and has no point if it is whole.
CREATE OR REPLACE FUNCTION _pando.json_text(doc json, path text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	v json := _pando.json_at(doc, path);
	t text;
BEGIN
	CASE json_typeof(v)
	WHEN 'string' THEN RETURN v #>> '{}';
	WHEN 'boolean' THEN RETURN (v::text ~ 'true')::int::text;
	WHEN 'object', 'array' THEN RETURN _pando.json_compact(CASE path WHEN '{}' THEN doc ELSE v END::text);
	WHEN 'number' THEN
		t := btrim(v::text, E' \t\n\r');
		IF _pando.is_whole(t) THEN
			RETURN t::int8::text;
		ELSIF path = '{}' THEN
			RETURN _pando.number_text(_pando.to_real(t));
		END IF;
		RETURN _pando.real_text(_pando.to_real(t));
	ELSE RETURN NULL;
	END CASE;
END $$
