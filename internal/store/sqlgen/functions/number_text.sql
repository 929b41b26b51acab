-- A number of a column as SQLite writes it: one that is whole has no point.
CREATE OR REPLACE FUNCTION _pando.number_text(x float8) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	IF x = trunc(x) AND abs(x) < 9223372036854775808 THEN
		RETURN x::int8::text;
	END IF;
	RETURN _pando.real_text(x);
END $$
