-- A number as a text that sorts as it: class 1 (texts are class 2) and the bits
-- of the double, turned so that they count upwards. From 2^53 on there are whole
-- numbers between the doubles: how far one is from its double follows.
CREATE OR REPLACE FUNCTION _pando.number_key(x float8) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	lowest CONSTANT int8 := -9223372036854775807 - 1;
	bits int8 := ('x' || encode(float8send(x + 0), 'hex'))::bit(64)::int8; -- + 0 makes 0 of -0
	key text;
BEGIN
	IF bits < 0 THEN
		bits := bits # 9223372036854775807;
	END IF;
	key := '1' || lpad(to_hex(bits # lowest), 16, '0');
	IF abs(x) >= 9007199254740992 THEN
		RETURN key || '0512';
	END IF;
	RETURN key;
END $$
