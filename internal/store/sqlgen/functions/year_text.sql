-- A year with four digits.
CREATE OR REPLACE FUNCTION _pando.year_text(year int) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	RETURN CASE WHEN year < 0 THEN '-' || lpad((-year)::text, greatest(3, length((-year)::text)), '0') ELSE lpad(year::text, greatest(4, length(year::text)), '0') END;
END $$
