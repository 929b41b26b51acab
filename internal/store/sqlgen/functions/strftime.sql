-- SQLite's function of this name: the format, the time, and what moves it; null
-- if one of them makes no sense. "now" is none: it was replaced before.
CREATE OR REPLACE FUNCTION _pando.strftime(VARIADIC args text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	epoch CONSTANT int8 := 210866760000000;
	raw float8;
	ms int8;
	day int8;
	tod int;
	d int[];
	week int; -- 0 is Sunday
	yday int;
	thursday int[];
	hour int;
	c text;
	out text := '';
	verb boolean := false;
BEGIN
	IF array_position(args, NULL) IS NOT NULL THEN
		RETURN NULL;
	END IF;
	ms := _pando.clock(args[2]);
	IF ms IS NULL THEN
		raw := _pando.to_number(args[2]);
		IF raw IS NULL THEN
			RETURN NULL;
		END IF;
		ms := CASE WHEN raw >= 0 AND raw < 5373484.5 THEN trunc(raw * 86400000 + 0.5)::int8 ELSE -1 END;
	END IF;
	FOR i IN 3 .. cardinality(args) LOOP
		ms := _pando.clock_modify(ms, raw, lower(args[i] COLLATE "C"), i = 3);
		IF ms IS NULL THEN
			RETURN NULL;
		END IF;
	END LOOP;
	IF ms NOT BETWEEN 0 AND 464269060799999 THEN
		RETURN NULL;
	END IF;
	day := floor((ms - epoch) / 86400000.0)::int8;
	tod := ms - epoch - day * 86400000;
	d := _pando.civil(day);
	week := ((day + 4) % 7 + 7) % 7;
	yday := day - _pando.days(d[1], 1, 1) + 1;
	hour := tod / 3600000;
	FOREACH c IN ARRAY string_to_array(args[1], NULL) LOOP
		IF NOT verb THEN
			verb := c = '%';
			IF NOT verb THEN
				out := out || c;
			END IF;
			CONTINUE;
		END IF;
		verb := false;
		IF c IN ('G', 'g', 'V') AND thursday IS NULL THEN -- the week belongs to the year of its Thursday
			thursday := _pando.civil(day - (week + 6) % 7 + 3);
		END IF;
		out := out || CASE c
			WHEN 'd' THEN to_char(d[3], 'FM00')
			WHEN 'e' THEN lpad(d[3]::text, 2)
			WHEN 'f' THEN to_char(tod / 1000 % 60, 'FM00') || '.' || to_char(tod % 1000, 'FM000')
			WHEN 'F' THEN _pando.year_text(d[1]) || '-' || to_char(d[2], 'FM00') || '-' || to_char(d[3], 'FM00')
			WHEN 'G' THEN _pando.year_text(thursday[1])
			WHEN 'g' THEN lpad((thursday[1] % 100)::text, greatest(2, length((thursday[1] % 100)::text)), '0')
			WHEN 'H' THEN to_char(hour, 'FM00')
			WHEN 'I' THEN to_char((hour + 11) % 12 + 1, 'FM00')
			WHEN 'j' THEN to_char(yday, 'FM000')
			WHEN 'J' THEN _pando.julian_text(ms / 86400000::float8)
			WHEN 'k' THEN lpad(hour::text, 2)
			WHEN 'l' THEN lpad(((hour + 11) % 12 + 1)::text, 2)
			WHEN 'm' THEN to_char(d[2], 'FM00')
			WHEN 'M' THEN to_char(tod / 60000 % 60, 'FM00')
			WHEN 'p' THEN CASE WHEN hour < 12 THEN 'AM' ELSE 'PM' END
			WHEN 'P' THEN CASE WHEN hour < 12 THEN 'am' ELSE 'pm' END
			WHEN 'R' THEN to_char(hour, 'FM00') || ':' || to_char(tod / 60000 % 60, 'FM00')
			WHEN 's' THEN (ms / 1000 - epoch / 1000)::text
			WHEN 'S' THEN to_char(tod / 1000 % 60, 'FM00')
			WHEN 'T' THEN to_char(hour, 'FM00') || ':' || to_char(tod / 60000 % 60, 'FM00') || ':' || to_char(tod / 1000 % 60, 'FM00')
			WHEN 'u' THEN ((week + 6) % 7 + 1)::text
			WHEN 'U' THEN to_char((yday + 6 - week) / 7, 'FM00')
			WHEN 'V' THEN to_char((_pando.days(thursday[1], thursday[2], thursday[3]) - _pando.days(thursday[1], 1, 1)) / 7 + 1, 'FM00')
			WHEN 'w' THEN week::text
			WHEN 'W' THEN to_char((yday + 6 - (week + 6) % 7) / 7, 'FM00')
			WHEN 'Y' THEN _pando.year_text(d[1])
			WHEN '%' THEN '%'
		END; -- null for any other letter, which makes the whole null
	END LOOP;
	RETURN CASE WHEN verb THEN NULL ELSE out END;
END $$
