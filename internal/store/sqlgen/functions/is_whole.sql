-- Whether a decimal number is written as a whole one that 64 bits hold.
CREATE OR REPLACE FUNCTION _pando.is_whole(t text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	IF t !~ '^[+-]?[0-9]+$' THEN
		RETURN false;
	ELSIF length(t) < 19 THEN
		RETURN true;
	END IF;
	RETURN length(t) < 1000 AND t::numeric BETWEEN -9223372036854775808 AND 9223372036854775807;
END $$
