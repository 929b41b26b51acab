-- The number that a text begins with; 0 if it begins with none.
CREATE OR REPLACE FUNCTION _pando.lead_number(t text) RETURNS float8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	RETURN coalesce(_pando.to_real(substring(t FROM '^[ \t\r\n]*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)')), 0);
END $$
