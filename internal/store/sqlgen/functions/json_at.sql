-- What stands at a path; null if nothing does. A number in the path is a place
-- in a list, anything else a key; of two keys of one name the first counts.
CREATE OR REPLACE FUNCTION _pando.json_at(doc json, path text[]) RETURNS json
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
	t text := doc;
	escaped boolean := strpos(t, '\u') > 0;
	direct boolean := NOT escaped; -- whether PostgreSQL's own operator means the same
	step text;
	quoted text;
	found json;
	at int;
BEGIN
	FOREACH step IN ARRAY path LOOP
		EXIT WHEN NOT direct;
		quoted := '"' || step || '"';
		at := strpos(t, quoted);
		direct := ascii(step) NOT BETWEEN 48 AND 57 AND (at = 0 OR strpos(substr(t, at + 1), quoted) = 0);
	END LOOP;
	IF direct THEN
		RETURN doc #> path;
	ELSIF escaped THEN
		doc := _pando.json_tame(t);
	END IF;
	FOREACH step IN ARRAY path LOOP
		IF step !~ '[^0-9]' THEN
			doc := CASE WHEN length(ltrim(step, '0')) < 10 THEN doc -> step::int END; -- no list has more
		ELSE
			found := doc -> step;
			IF found IS NOT NULL THEN
				SELECT e.value INTO found FROM json_each(doc) WITH ORDINALITY AS e(key, value, n) WHERE e.key = step ORDER BY e.n LIMIT 1;
			END IF;
			doc := found;
		END IF;
		IF doc IS NULL THEN
			RETURN NULL;
		END IF;
	END LOOP;
	RETURN doc;
END $$
