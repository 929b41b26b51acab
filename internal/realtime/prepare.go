package realtime

import (
	"context"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/store"
)

// prepared are the answers to a delete that were made before it.
type prepared struct {
	byGroup map[group][]byte
	catalog uint64 // the version by whose rules
}

// answer is what was made for j, nil if j gets no event. Whoever has come or changed
// since then was not prepared for, nor is anybody by other rules, or if it failed.
func (p prepared) answer(a *answers, j *judged) (data []byte, made bool) {
	if p.catalog != a.r.Catalog().Version {
		return nil, false
	}
	data, made = p.byGroup[group{string(a.inputs(j)), j.whole()}]
	return data, made
}

// BeforeDelete makes the events about a record that is about to be deleted, as
// far as they cannot be made once it is gone. The records service calls it
// inside the transaction, before the record or anything that refers to it goes,
// and deletes the record with the context that it returns: the answers travel with
// that deletion, which may not be the only one of its id.
// Whoever it has made none for has to come back when the record has gone.
// Without a subscription that needs it, it returns at once.
func (s *Realtime) BeforeDelete(ctx context.Context, tx store.Tx, rec *pando.Record) (context.Context, error) {
	if s.connected.Load() == 0 {
		return ctx, nil
	}
	audience := s.audience(rec)
	if len(audience) == 0 {
		return ctx, nil
	}
	a := s.answersFor(tx, changes.Delete, rec, time.Now())
	if a == nil {
		return ctx, nil
	}
	for _, m := range audience {
		j, ok := a.judge(m)
		if !ok || !a.needsRow(&j) {
			continue
		}
		if _, err := a.answer(ctx, &j); err != nil {
			if ctx.Err() != nil {
				return ctx, ctx.Err()
			}
			// Nobody's deletion fails because somebody else listens.
			s.log.Warn("realtime: an event could not be made",
				"collection", a.coll.Name, "record", rec.ID(), "topic", m.sub.topic, "error", err)
		}
	}
	return changes.Prepare(ctx, prepared{a.byGroup, tx.Catalog().Version}), nil
}
