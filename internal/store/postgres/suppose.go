package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
)

// supposition is that records are there: put off as a statement of its own, which
// fails if they are not, or made a condition of the insert that comes next.
type supposition struct {
	p   *plan
	ids []string // each once
}

// mostSupposed is how many records one insert is conditional on. Each number of
// them is another statement to be prepared.
const mostSupposed = 4

// Suppose implements store.Supposer.
func (t *tx) Suppose(ctx context.Context, c *pando.Collection, ids []string) (bool, error) {
	if err := t.usable(ctx); err != nil {
		return false, err
	}
	if t.mode != (mode{}) || c.IsView() || slices.ContainsFunc(ids, func(id string) bool { return strings.IndexByte(id, 0) >= 0 }) {
		recs, err := t.Records(ctx, c, ids)
		return err == nil && len(recs) == len(ids), err
	}
	s := &supposition{t.s.plans.Of(c), slices.Compact(slices.Sorted(slices.Values(ids)))}
	t.queue = append(t.queue, s.query())
	t.guesses++
	for _, id := range s.ids {
		t.saw = append(t.saw, position.RecordTag(c.ID, id))
	}
	if len(t.queue) >= batchMost {
		return true, t.send(ctx, false)
	}
	return true, nil
}

// query fails with a division by zero if a record is missing.
func (s *supposition) query() *query {
	n, _ := argument(int64(len(s.ids)))
	return &query{
		sql:     "SELECT 1 / (count(*) = $2)::int FROM " + quote(s.p.c.Name) + " WHERE \"id\" = ANY($1::text[])",
		args:    [][]byte{arrayText(s.ids), n},
		suppose: s,
	}
}

// conditions adds to a gated insert, the last value of which is the next number,
// that records are there.
func conditions(q *query, list []*supposition) {
	var b strings.Builder
	b.WriteString(q.sql)
	for _, s := range list {
		for _, id := range s.ids {
			q.args = append(q.args, textBytes(id))
			q.formats = append(q.formats, 0)
			b.WriteString(" AND EXISTS (SELECT FROM " + quote(s.p.c.Name) + " WHERE \"id\" = $" + strconv.Itoa(len(q.args)) + ")")
		}
	}
	q.sql = b.String()
}
