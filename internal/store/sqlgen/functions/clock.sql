-- A time that is written as a date, a time of day or both, in milliseconds since
-- the origin of Julian days; null if t is none of them.
CREATE OR REPLACE FUNCTION _pando.clock(t text) RETURNS int8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	epoch CONSTANT int8 := 210866760000000;
	day int8 := _pando.days(2000, 1, 1);
	p text[];
	c int8[];
BEGIN
	IF length(t) >= 10 AND substr(t, 5, 1) = '-' AND substr(t, 8, 1) = '-' THEN
		p := regexp_match(t, '^([0-9]{4})-([0-9]{2})-([0-9]{2})[ T\t\n\v\f\r]*(.*)$');
		IF p IS NULL OR p[2]::int NOT BETWEEN 1 AND 12 OR p[3]::int NOT BETWEEN 1 AND 31 THEN
			RETURN NULL;
		END IF;
		day := _pando.days(p[1]::int, p[2]::int, p[3]::int);
		t := p[4];
		IF t = '' THEN
			RETURN epoch + day * 86400000;
		END IF;
	END IF;
	c := _pando.clock_of_day(t);
	RETURN epoch + day * 86400000 + c[1] - c[2];
END $$
