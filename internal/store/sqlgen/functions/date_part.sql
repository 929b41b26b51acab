-- strftime of a date: pattern is what to_char makes of the same format.
CREATE OR REPLACE FUNCTION _pando.date_part(at timestamptz, format text, pattern text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	utc timestamp := at AT TIME ZONE 'UTC';
BEGIN
	IF utc < '0001-01-01' THEN -- the year 0
		RETURN _pando.strftime(format, _pando.date_text(at));
	END IF;
	RETURN to_char(utc, pattern);
END $$
