package wal_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/changes/wal"
	"github.com/pandobase/pando/internal/position"
)

// Random transactions from several sessions: who replays the log has what the table
// has, its order is that in which the commits were seen, and each change has its tags.
func TestOracle(t *testing.T) {
	const sessions, each, keys = 6, 150, 12
	wal.StreamSoon(t)
	g := openOwn(t, map[string]string{"max_connections": "50"})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var wg sync.WaitGroup
	var mu sync.Mutex
	commits := map[string]bool{} // transactions that were answered
	for k := range sessions {
		c := g.session()
		run(t, c, "SET deadlock_timeout = '20ms'")
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(k)))
			for range each {
				sql, keep := transaction(r, keys)
				results, err := c.Exec(t.Context(), sql).ReadAll()
				if err != nil { // a conflict with another
					if _, err := c.Exec(t.Context(), "ROLLBACK").ReadAll(); err != nil {
						t.Error(err)
						return
					}
					continue
				}
				if keep {
					mu.Lock()
					commits[string(results[1].Rows[0][0])] = true
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	state, seen := map[string]string{}, map[string]bool{}
	var last position.N
	for _, e := range g.entries() {
		if e.N <= last {
			t.Fatalf("an entry at %d after one at %d", e.N, last)
		}
		last = e.N
		seen[uitoa(e.XID)] = true
		replay(t, state, e)
	}
	table := map[string]string{}
	results, err := g.sql.Exec(t.Context(), "SELECT id, title FROM things").ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range results[0].Rows {
		table[string(row[0])] = string(row[1])
	}
	if !maps.Equal(state, table) {
		t.Errorf("the log gives %d records, the table has %d, and they are not the same\n%v\n%v", len(state), len(table), state, table)
	}
	for xid := range commits {
		if !seen[xid] {
			t.Errorf("transaction %s was committed and is not in the log", xid)
		}
	}
	if len(commits) < sessions*each/4 {
		t.Errorf("%d transactions only", len(commits))
	}
	streamed := g.exec("SELECT coalesce(sum(stream_txns), 0) FROM pg_stat_replication_slots")
	t.Logf("%d transactions, %d records, %s transactions were streamed", len(commits), len(table), streamed)
}

// transaction is a random one, which asks for its number first, and whether it is
// committed after a change.
func transaction(r *rand.Rand, keys int) (sql string, keep bool) {
	var b strings.Builder
	b.WriteString("BEGIN; SELECT pg_current_xact_id();")
	depth, changed := 0, false
	for range 1 + r.IntN(8) {
		id := fmt.Sprintf("k%d", r.IntN(keys))
		switch r.IntN(9) {
		case 0, 1, 2:
			fmt.Fprintf(&b, "INSERT INTO things (id, title) VALUES ('%s', '%d') ON CONFLICT (id) DO UPDATE SET title = excluded.title;", id, r.Uint64())
			changed = changed || depth == 0
		case 3:
			fmt.Fprintf(&b, "UPDATE things SET title = title || '%d' WHERE id = '%s';", r.IntN(10), id)
		case 4:
			fmt.Fprintf(&b, "DELETE FROM things WHERE id = '%s';", id)
		case 5:
			fmt.Fprintf(&b, "UPDATE things SET id = id || 'x' WHERE id = '%s' AND NOT EXISTS (SELECT FROM things WHERE id = '%[1]sx');", id)
		case 6:
			fmt.Fprintf(&b, "SAVEPOINT s%d;", depth)
			depth++
		case 7:
			if depth > 0 {
				depth--
				fmt.Fprintf(&b, "ROLLBACK TO s%d;", depth)
			}
		case 8: // large, so that it is streamed
			fmt.Fprintf(&b, "INSERT INTO things (id, title) SELECT '%s-' || i, md5(i::text || '%d') FROM generate_series(1, 400) i ON CONFLICT (id) DO UPDATE SET title = excluded.title;", id, r.Uint64())
			changed = changed || depth == 0
		}
	}
	if r.IntN(6) == 0 {
		return b.String() + "ROLLBACK", false
	}
	return b.String() + "COMMIT", changed
}

// replay makes of the records what an entry says.
func replay(t *testing.T, state map[string]string, e changes.Entry) {
	t.Helper()
	tags := map[position.Tag]bool{}
	for _, tag := range e.Tags {
		tags[tag] = true
	}
	if !tags[table()] || !tags[position.AllTag] || e.All || e.Unlisted {
		t.Fatalf("%s", text(e))
	}
	for _, row := range e.Rows {
		if !tags[record(row.ID)] {
			t.Fatalf("no tag of %s in %s", row.ID, text(e))
		}
		_, there := state[row.ID]
		if there == (row.Action == changes.Create) {
			t.Fatalf("%s of %s, which is there: %v", row.Action, row.ID, there)
		}
		if row.Action == changes.Delete {
			delete(state, row.ID)
			continue
		}
		for _, c := range row.Columns {
			if c.Name == "title" {
				state[row.ID] = string(c.Value)
			}
		}
	}
}
