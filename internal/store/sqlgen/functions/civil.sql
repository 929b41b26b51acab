-- Year, month and day of days since 1970-01-01: days the other way round.
CREATE OR REPLACE FUNCTION _pando.civil(days int8) RETURNS int[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	z int8 := days + 719468;
	era int8 := floor(z / 146097.0)::int8;
	doe int := z - era * 146097;
	yoe int := (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy int := doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp int := (5 * doy + 2) / 153;
	m int := CASE WHEN mp < 10 THEN mp + 3 ELSE mp - 9 END;
BEGIN
	RETURN ARRAY[yoe + era * 400 + CASE WHEN m <= 2 THEN 1 ELSE 0 END, m, doy - (153 * mp + 2) / 5 + 1];
END $$
