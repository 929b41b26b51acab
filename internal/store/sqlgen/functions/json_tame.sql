-- A JSON text without the escapes that PostgreSQL refuses to read: NUL becomes
-- the character next to it, half of a pair becomes U+FFFD.
CREATE OR REPLACE FUNCTION _pando.json_tame(t text) RETURNS json
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	t := replace(t, '\\', E'\x01'); -- no JSON text has this one as it is
	t := replace(t, '\u0000', '\u0001');
	t := regexp_replace(t, '\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})', '\ufffd', 'g');
	t := regexp_replace(t, '(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}', '\ufffd', 'g');
	RETURN replace(t, E'\x01', '\\')::json;
END $$
