-- A decimal number as a double: one that is too large is infinite and one that
-- is too small is 0, where a cast would fail.
CREATE OR REPLACE FUNCTION _pando.to_real(t text) RETURNS float8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	parts text[];
	digits text;
	lead int; -- of the first digit that counts
BEGIN
	IF length(t) < 200 AND t !~ '[eE]' THEN
		RETURN t::float8;
	END IF;
	parts := regexp_match(t, '([+-]?)([0-9]*)\.?([0-9]*)(?:[eE]([+-]?)0*([0-9]*))?');
	digits := ltrim(parts[2] || parts[3], '0');
	IF digits = '' THEN
		RETURN 0;
	END IF;
	IF length(parts[5]) > 9 THEN
		lead := CASE parts[4] WHEN '-' THEN -1000000000 ELSE 1000000000 END;
	ELSE
		lead := (coalesce(parts[4], '') || coalesce(nullif(parts[5], ''), '0'))::int;
	END IF;
	lead := lead + length(digits) - length(parts[3]);
	IF lead < -330 THEN
		RETURN 0;
	ELSIF lead > 309 THEN
		RETURN (parts[1] || 'Infinity')::float8;
	END IF;
	-- As few digits as can make a difference: what follows them is a last 1.
	IF length(digits) > 800 THEN
		digits := left(digits, 800) || '1';
	END IF;
	IF abs(('0.' || digits || 'e' || lead)::numeric) > 1.7976931348623158079e308 THEN
		RETURN (parts[1] || 'Infinity')::float8;
	ELSIF ('0.' || digits || 'e' || lead)::numeric < 2.4703282292062328e-324 THEN
		RETURN 0;
	END IF;
	RETURN (parts[1] || '0.' || digits || 'e' || lead)::float8;
END $$
