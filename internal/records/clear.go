package records

import (
	"context"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// Clear removes every record of c inside tx, each as a superuser's Delete would:
// what refers to it follows, changes or stands against it (KindInvalid). It
// returns the keys of the files that no record names any more; they are the
// caller's to note before the transaction commits, and to remove afterwards.
func (s *Records) Clear(ctx context.Context, tx store.Tx, c *pando.Collection) ([]string, error) {
	ps := s.plansOf(tx.Catalog())
	p := ps.collection(c.ID)
	if p == nil {
		return nil, noCollection()
	}
	run := cascade{s: s, tx: tx, plans: ps, deleting: map[[2]string]bool{}, now: s.now()}
	for {
		page, err := tx.Find(ctx, store.Query{Collection: c, Limit: cascadePage})
		if err != nil || len(page.Records) == 0 {
			return run.files, err
		}
		for _, rec := range page.Records {
			if err := run.remove(ctx, p, rec); err != nil {
				return nil, err
			}
		}
	}
}
