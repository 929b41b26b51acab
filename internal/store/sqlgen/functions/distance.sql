-- The great-circle distance in kilometres between two points, each longitude,
-- latitude; the cosine is clamped because rounding makes it more than 1 for two
-- equal points. An infinite coordinate is none.
CREATE OR REPLACE FUNCTION _pando.distance(lon_a float8, lat_a float8, lon_b float8, lat_b float8) RETURNS float8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	IF abs(lon_a) = 'Infinity' OR abs(lat_a) = 'Infinity' OR abs(lon_b) = 'Infinity' OR abs(lat_b) = 'Infinity' THEN
		RETURN NULL;
	END IF;
	RETURN 6371 * acos(least(1, greatest(-1,
		cos(radians(lat_a)) * cos(radians(lat_b)) * cos(radians(lon_b) - radians(lon_a)) + sin(radians(lat_a)) * sin(radians(lat_b)))));
END $$
