-- A time moved by "+3 days", "-1.5 hours", "+01:30"; null if m is none of them.
CREATE OR REPLACE FUNCTION _pando.clock_shift(ms int8, m text) RETURNS int8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	epoch CONSTANT int8 := 210866760000000;
	p text[];
	c int8[];
	f float8;
	rest float8;
	day int8;
	d int[];
	each float8;
BEGIN
	IF m ~ '^[+-]?[0-9.]+:' THEN
		c := _pando.clock_of_day(ltrim(m, '+-'));
		IF c[2] <> 0 THEN
			RETURN NULL;
		END IF;
		RETURN ms + CASE WHEN left(m, 1) = '-' THEN -c[1] ELSE c[1] END;
	END IF;
	p := regexp_match(m, '^([+-]?[0-9]*\.?[0-9]*(?:e\+?[0-9]+)?)[ \t\n\v\f\r]*(day|hour|minute|second|month|year)s?[ \t\n\v\f\r]*$');
	IF p IS NULL OR m !~ '^[+-]?\.?[0-9]' OR left(m, 1) = '.' THEN
		RETURN NULL;
	END IF;
	f := _pando.to_real(p[1]);
	CASE p[2]
	WHEN 'day' THEN each := 86400000;
	WHEN 'hour' THEN each := 3600000;
	WHEN 'minute' THEN each := 60000;
	WHEN 'second' THEN each := 1000;
	ELSE
		IF abs(f) > 176546 THEN
			RETURN NULL;
		END IF;
		-- Whole months, then the rest as days of 30 or 365.
		rest := f - trunc(f);
		day := floor((ms - epoch) / 86400000.0)::int8;
		d := _pando.civil(day);
		IF p[2] = 'year' THEN
			d[1] := d[1] + trunc(f)::int;
			each := 365 * 86400000.0;
		ELSE
			d[2] := d[2] + trunc(f)::int;
			each := 30 * 86400000.0;
		END IF;
		ms := ms + (_pando.days(d[1], d[2], d[3]) - day) * 86400000;
		f := rest;
		IF f = 0 THEN
			RETURN ms;
		END IF;
	END CASE;
	IF abs(f) > 464269060800 THEN
		RETURN NULL;
	END IF;
	RETURN ms + trunc(f * each + CASE WHEN f < 0 THEN -0.5 ELSE 0.5 END)::int8;
END $$
