-- The key of a decimal number as it is written.
CREATE OR REPLACE FUNCTION _pando.decimal_key(t text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	IF _pando.is_whole(t) THEN
		RETURN _pando.integer_key(t::int8);
	END IF;
	RETURN _pando.number_key(_pando.to_real(t));
END $$
