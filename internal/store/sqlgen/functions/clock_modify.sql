-- A time under one modifier of strftime; null if that makes no sense. raw is the
-- number that the time was written as. Local time is UTC here.
CREATE OR REPLACE FUNCTION _pando.clock_modify(ms int8, raw float8, m text, is_first boolean) RETURNS int8
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
	epoch CONSTANT int8 := 210866760000000;
	latest CONSTANT int8 := 464269060799999;
	day int8;
	d int[];
	n float8;
BEGIN
	CASE m
	WHEN 'unixepoch', 'auto', 'julianday' THEN
		IF NOT is_first THEN
			RETURN NULL;
		ELSIF raw IS NULL THEN
			RETURN CASE m WHEN 'auto' THEN ms END;
		ELSIF m = 'julianday' OR m = 'auto' AND ms >= 0 THEN
			RETURN CASE WHEN ms >= 0 THEN ms END;
		END IF;
		n := floor(raw * 1000 + 0.5) + epoch;
		RETURN CASE WHEN n BETWEEN 0 AND latest THEN n::int8 END;
	WHEN 'subsec', 'subsecond', 'utc', 'localtime' THEN RETURN ms;
	ELSE
	END CASE;
	IF ms NOT BETWEEN 0 AND latest THEN
		RETURN NULL;
	END IF;
	day := floor((ms - epoch) / 86400000.0)::int8;
	d := _pando.civil(day);
	IF m ~ '^weekday ' THEN
		n := _pando.to_number(substr(m, 9));
		IF n IS NULL OR n <> trunc(n) OR n NOT BETWEEN 0 AND 6 THEN
			RETURN NULL;
		END IF;
		RETURN ms + ((n::int - (((day + 4) % 7 + 7) % 7) + 7) % 7) * 86400000;
	ELSIF m ~ '^start of ' THEN
		CASE btrim(substr(m, 10), E' \t\n\v\f\r')
		WHEN 'day' THEN
		WHEN 'month' THEN day := _pando.days(d[1], d[2], 1);
		WHEN 'year' THEN day := _pando.days(d[1], 1, 1);
		ELSE RETURN NULL;
		END CASE;
		RETURN epoch + day * 86400000;
	END IF;
	ms := _pando.clock_shift(ms, m);
	RETURN CASE WHEN ms BETWEEN 0 AND latest THEN ms END;
END $$
