-- Days from 1970-01-01 to a day of the Gregorian calendar; day may be any.
CREATE OR REPLACE FUNCTION _pando.days(year int, month int, day int) RETURNS int8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	y int := year + floor((month - 1) / 12.0)::int; -- month may be any as well
	m int := month - 12 * (y - year);
	era int;
	yoe int;
BEGIN
	IF m <= 2 THEN -- years begin in March here, so that the odd day is their last
		y := y - 1;
		m := m + 12;
	END IF;
	era := floor(y / 400.0)::int;
	yoe := y - era * 400;
	RETURN era::int8 * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + (153 * (m - 3) + 2) / 5 + day - 1 - 719468;
END $$
