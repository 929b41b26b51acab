package postgres

import (
	"testing"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

// A batch says by whose log its position is: those of others cannot be compared with it.
func TestABatchIsOfARun(t *testing.T) {
	s, c := telling()
	run := position.Run{Timeline: 2, Instance: 50}
	s.commits.own.put(ownKey{run, 7}, []changes.Change{{Action: changes.Create, Record: thing(c, "a", "", 0)}})
	for _, xid := range []uint64{7, 8} { // our own, and another's
		if b := s.Batch(t.Context(), run, changes.Entry{N: 10, XID: xid, Rows: []changes.Row{logged("a", "")}}, nobody); b.Run != run || b.Position != 10 {
			t.Errorf("%+v", b)
		}
	}
}
