-- A Julian day with up to 16 digits, as %J of strftime writes it.
CREATE OR REPLACE FUNCTION _pando.julian_text(x float8) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	s text := btrim(to_char(x, '9.999999999999999EEEE'));
	digits text := rtrim(left(s, 1) || substr(s, 3, 15), '0');
	ten int := substr(s, 19)::int;
BEGIN
	IF x = 0 THEN
		RETURN '0';
	ELSIF ten < -4 THEN
		RETURN left(digits, 1) || CASE WHEN length(digits) > 1 THEN '.' || substr(digits, 2) ELSE '' END || 'e' || substr(s, 19);
	ELSIF ten < 0 THEN
		RETURN '0.' || repeat('0', -ten - 1) || digits;
	ELSIF length(digits) <= ten + 1 THEN
		RETURN rpad(digits, ten + 1, '0');
	END IF;
	RETURN left(digits, ten + 1) || '.' || substr(digits, ten + 2);
END $$
