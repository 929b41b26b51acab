-- A view's column of any type as JSON: a text that is JSON is what it says, any
-- other a string; numbers and dates are written as everywhere.
CREATE OR REPLACE FUNCTION _pando.as_json(v anyelement) RETURNS json
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
	CASE pg_typeof(v)
	WHEN 'text'::regtype, 'character varying'::regtype THEN
		BEGIN
			RETURN v::text::json;
		EXCEPTION WHEN invalid_text_representation THEN
			RETURN to_json(v::text);
		END;
	WHEN 'timestamp with time zone'::regtype, 'timestamp without time zone'::regtype THEN
		RETURN to_json(_pando.date_text(v::text::timestamptz));
	WHEN 'double precision'::regtype, 'real'::regtype, 'numeric'::regtype THEN
		RETURN _pando.number_text(v::text::float8)::json;
	ELSE
		RETURN to_json(v);
	END CASE;
END $$
