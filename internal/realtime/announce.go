package realtime

import (
	"context"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/store"
)

// announce sends one committed change to everybody whom it concerns.
func (s *Realtime) announce(ctx context.Context, ch *changes.Change, elsewhere bool, now time.Time) {
	before, _ := ch.Prepared.(prepared)
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
