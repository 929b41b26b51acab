-- A date as Pando writes it; no date is an empty text.
CREATE OR REPLACE FUNCTION _pando.date_text(at timestamptz) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
	utc timestamp := at AT TIME ZONE 'UTC';
BEGIN
	IF utc IS NULL OR NOT isfinite(utc) THEN
		RETURN '';
	ELSIF utc < '0001-01-01' THEN -- the year 0
		RETURN '0000' || to_char(utc, '-MM-DD HH24:MI:SS.MS"Z"');
	END IF;
	RETURN to_char(utc, 'YYYY-MM-DD HH24:MI:SS.MS"Z"');
END $$
