-- Milliseconds of HH:MM[:SS[.fff]] and of the zone behind it; null if t is none.
CREATE OR REPLACE FUNCTION _pando.clock_of_day(t text) RETURNS int8[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	p text[] := regexp_match(t, '^([0-9]{2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]+)?)?[ \t\n\v\f\r]*(?:[zZ]|([+-])([0-9]{2}):([0-9]{2}))?[ \t\n\v\f\r]*$');
	since int8;
	zone int8 := 0;
BEGIN
	IF p IS NULL OR p[1]::int > 24 OR p[2]::int > 59 OR p[3]::int > 59 OR p[6]::int > 14 OR p[7]::int > 59 THEN
		RETURN NULL;
	END IF;
	since := p[1]::int * 3600000 + p[2]::int * 60000 + coalesce(p[3], '0')::int * 1000
		+ trunc(coalesce('0' || left(p[4], 30), '0')::float8 * 1000 + 0.5)::int8;
	IF p[5] IS NOT NULL THEN
		zone := (p[5] || '1')::int * (p[6]::int * 3600000 + p[7]::int * 60000);
	END IF;
	RETURN ARRAY[since, zone];
END $$
