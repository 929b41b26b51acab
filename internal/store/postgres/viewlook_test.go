package postgres

import (
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// A view reads records, and does nothing else.
func TestViewsOnlyRead(t *testing.T) {
	s, _ := fresh(t, Options{})
	ctx := t.Context()
	try := func(query string) (sampled, saved error) {
		v := things()
		v.ID, v.Name, v.Type, v.ViewQuery = "pbc_v", "v", pando.TypeView, query
		v.Fields = v.Fields[:1]
		sampled = s.Read(ctx, func(r store.Reader) error {
			_, err := r.SampleView(ctx, v, query, 5)
			return err
		})
		_, saved = s.Write(ctx, func(tx store.Tx) error {
			if _, err := tx.SampleView(ctx, v, query, 5); (err == nil) != (sampled == nil) {
				t.Errorf("%s: sampled in a transaction: %v, else: %v", query, err, sampled)
			}
			if err := tx.SaveCollection(ctx, nil, v); err != nil {
				return err
			}
			return tx.DeleteCollection(ctx, v)
		})
		return sampled, saved
	}
	for _, query := range []string{
		"SELECT set_config('statement_timeout', '1', false) AS id",
		"SELECT id FROM things ORDER BY set_config('search_path', title, false)",
		"SELECT 'a' AS id WHERE nextval('_pando_gate') > 0",
		"SELECT 'a' AS id FROM pg_advisory_lock(1)",
		"SELECT 'a' AS id FROM pg_sleep(0)",
		"SELECT pg_read_file('PG_VERSION') AS id",
		"SELECT (SELECT count(pg_notify('a', 'b')) FROM things)::text AS id",
		"WITH x AS (SELECT lo_import('PG_VERSION') AS n) SELECT n::text AS id FROM x",
		"SELECT query_to_xml('SELECT 1', true, true, '')::text AS id",
		"SELECT table_to_xml('_pando_params', true, true, '')::text AS id",
		"SELECT key AS id FROM _pando_params",
		"SELECT id FROM things WHERE EXISTS (SELECT 1 FROM _pando_settings)",
		"SELECT (SELECT data FROM _pando_collections LIMIT 1)::text AS id",
		"SELECT rolname::text AS id FROM pg_authid",
		"SELECT usename::text AS id FROM pg_stat_activity",
		"SELECT id FROM things FOR UPDATE",
		"SELECT id FROM (SELECT id FROM things FOR SHARE) AS x",
	} {
		sampled, saved := try(query)
		if pando.KindOf(sampled) != pando.KindInvalid || pando.KindOf(saved) != pando.KindInvalid {
			t.Errorf("%s: sampled: %v, saved: %v", query, sampled, saved)
		}
	}
	for _, query := range []string{
		"SELECT id, n, n AS n FROM things",
		"SELECT gen_random_uuid()::text AS id, random() AS r, now() AS at, clock_timestamp() AS c",
		"SELECT (row_number() OVER ())::text AS id, title FROM things",
		"SELECT t.id, jsonb_agg(u.title ORDER BY u.n) FROM things t LEFT JOIN things u ON u.id <> t.id GROUP BY t.id",
		"SELECT i::text AS id FROM generate_series(1, 3) AS i",
		"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n::text AS id FROM r -- that is all",
	} {
		if sampled, saved := try(query); sampled != nil || saved != nil {
			t.Errorf("%s: sampled: %v, saved: %v", query, sampled, saved)
		}
	}
}
