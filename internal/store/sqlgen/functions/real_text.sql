-- A real number as SQLite writes it: 17 significant digits, fewer where the 15th
-- and 16th are zeros or nines that come of the binary form, always a point.
CREATE OR REPLACE FUNCTION _pando.real_text(x float8) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	sign text := CASE WHEN x < 0 THEN '-' ELSE '' END;
	y float8 := abs(x);
	s text;
	digits text;
	ten int; -- the exponent of the first digit
	short int := 0;
BEGIN
	IF y = 'Infinity' THEN
		RETURN sign || 'Inf';
	ELSIF y = 0 THEN
		RETURN '0.0';
	ELSIF y = 'NaN' THEN
		RETURN NULL;
	END IF;
	s := btrim(to_char(y, '9.99999999999999999EEEE'));
	ten := substr(s, 21)::int;
	digits := left(s, 1) || substr(s, 3, 16);
	IF substr(s, 19, 1) >= '5' THEN -- the last digit is rounded once more
		digits := (digits::int8 + 1)::text;
		IF length(digits) > 17 THEN
			digits := left(digits, 17);
			ten := ten + 1;
		END IF;
	END IF;
	CASE substr(digits, 15, 2)
	WHEN '00' THEN short := length(rtrim(left(digits, 15), '0'));
	WHEN '99' THEN short := greatest(length(rtrim(left(digits, 15), '9')), 1); -- nines alone are a 1
	ELSE
	END CASE;
	IF short > 0 THEN
		s := btrim(to_char(y, CASE short WHEN 1 THEN '9EEEE' ELSE rpad('9.', short + 1, '9') || 'EEEE' END));
		IF s::float8 = y THEN
			digits := replace(split_part(s, 'e', 1), '.', '');
			ten := split_part(s, 'e', 2)::int;
		END IF;
	END IF;
	digits := rtrim(digits, '0');
	IF ten < -4 OR ten >= 17 THEN
		RETURN sign || left(digits, 1) || '.' || coalesce(nullif(substr(digits, 2), ''), '0') || 'e' ||
			CASE WHEN ten < 0 THEN '-' ELSE '+' END || CASE WHEN abs(ten) < 10 THEN '0' ELSE '' END || abs(ten);
	ELSIF ten < 0 THEN
		RETURN sign || '0.' || repeat('0', -ten - 1) || digits;
	ELSIF length(digits) <= ten + 1 THEN
		RETURN sign || rpad(digits, ten + 1, '0') || '.0';
	END IF;
	RETURN sign || left(digits, ten + 1) || '.' || substr(digits, ten + 2);
END $$
