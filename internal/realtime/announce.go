package realtime

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/store"
)

// announce sends one committed change to everybody whom it concerns. What was prepared
// for a delete is of use only if it was committed here: elsewhere means that it was not,
// so that it failed here, and was judged by what may have changed since.
func (s *Realtime) announce(ctx context.Context, ch *changes.Change, elsewhere bool, now time.Time) {
	var before map[string][]byte
	if ch.Action == changes.Delete {
		before = s.prepared.take(identityOf(ch.Record))
	}
	audience := s.audience(ch.Record)
	if len(audience) == 0 {
		return
	}
	type letter struct {
		to   *subscription
		data []byte
	}
	var letters []letter
	var unmade []member // to whom an event was to go that could not be made
	err := s.store.Read(ctx, func(r store.Reader) error {
		letters, unmade = letters[:0], unmade[:0]
		a := s.answersFor(r, ch.Action, ch.Record, now)
		if a == nil {
			return nil // the collection is gone by now
		}
		for _, m := range audience {
			j, ok := a.judge(m)
			if !ok {
				continue
			}
			var data []byte
			switch {
			case ch.Action == changes.Delete && !elsewhere && a.needsRow(&j):
				var made bool
				if data, made = before[string(a.group(&j))]; !made { // it failed, or they have come or changed since
					unmade = append(unmade, m)
				}
			case ch.Action == changes.Delete && elsewhere && j.needsOthers():
			default:
				var err error
				if data, err = a.answer(ctx, &j); err != nil {
					s.log.Warn("realtime: an event could not be made",
						"collection", a.coll.Name, "record", a.rec.ID(), "topic", m.sub.topic, "error", err)
					unmade = append(unmade, m)
				}
			}
			if data != nil {
				letters = append(letters, letter{m.sub, data})
			}
		}
		return nil
	})
	if err != nil {
		s.log.Error("realtime: a change could not be announced", "collection", ch.Record.Collection.Name, "error", err)
		letters, unmade = nil, audience
	}
	for _, l := range letters {
		if l.to.client.push(pando.RealtimeEvent{Name: l.to.name, Data: l.data}) {
			s.counts.sent.Add(1)
			continue
		}
		s.counts.slow.Add(1)
		s.log.Info("realtime: a client was too slow and is cut off", "client", l.to.client.ip)
		l.to.client.end()
	}
	s.part(clientsOf(unmade), "an event could not be made")
}

// BeforeDelete makes the events about a record that is about to be deleted, as
// far as they cannot be made once it is gone. The records service calls it
// inside the transaction, before the record or anything that refers to it goes.
// Whoever it has made none for has to come back when the record has gone.
// Without a subscription that needs it, it returns at once.
func (s *Realtime) BeforeDelete(ctx context.Context, tx store.Tx, rec *pando.Record) error {
	var audience []member
	if s.connected.Load() > 0 {
		audience = s.audience(rec)
	}
	if len(audience) == 0 {
		s.prepared.take(identityOf(rec)) // of a try before, which was not committed
		return nil
	}
	a := s.answersFor(tx, changes.Delete, rec, time.Now())
	if a == nil {
		return nil
	}
	for _, m := range audience {
		j, ok := a.judge(m)
		if !ok || !a.needsRow(&j) {
			continue
		}
		if _, err := a.answer(ctx, &j); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			// Nobody's deletion fails because somebody else listens.
			s.log.Warn("realtime: an event could not be made",
				"collection", a.coll.Name, "record", rec.ID(), "topic", m.sub.topic, "error", err)
		}
	}
	s.prepared.put(identityOf(rec), a.byGroup)
	return nil
}

// prepared keeps the answers made before deletes until their commit. Those of a
// transaction that was rolled back are dropped by the next try, here or elsewhere, or
// forgotten after a while: they cannot do harm, since only a delete that was committed
// here is answered by them.
type prepared struct {
	mu    sync.Mutex
	m     map[identity]preparedAnswers
	swept time.Time // when old ones were last looked for
}

type preparedAnswers struct {
	byGroup map[string][]byte
	made    time.Time
}

// preparedLife is longer than any transaction takes.
const preparedLife = 5 * time.Minute

func (p *prepared) put(id identity, byGroup map[string][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.m == nil {
		p.m = map[identity]preparedAnswers{}
	}
	if now.Sub(p.swept) > preparedLife {
		p.swept = now
		maps.DeleteFunc(p.m, func(_ identity, a preparedAnswers) bool { return now.Sub(a.made) > preparedLife })
	}
	p.m[id] = preparedAnswers{byGroup, now}
}

func (p *prepared) take(id identity) map[string][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.m[id]
	delete(p.m, id)
	return a.byGroup
}

func (p *prepared) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.m)
}
