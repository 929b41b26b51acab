-- number_key of a whole number that a double may not hold.
CREATE OR REPLACE FUNCTION _pando.integer_key(n int8) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	x float8 := n;
	off int8;
BEGIN
	IF abs(x) < 9007199254740992 THEN
		RETURN _pando.number_key(x);
	ELSIF x >= 9223372036854775808 THEN
		off := n - 9223372036854775807 - 1;
	ELSE
		off := n - x::int8;
	END IF;
	RETURN left(_pando.number_key(x), 17) || lpad((off + 512)::text, 4, '0');
END $$
