package realtime

import (
	"context"
	"slices"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/store"
)

// announceTries is how often a change is judged for people who change meanwhile.
const announceTries = 3

// announce sends one committed change to everybody whom it concerns.
func (s *Realtime) announce(ctx context.Context, b *changes.Batch, ch *changes.Change, now time.Time) {
	for try := 1; ; try++ {
		audience := s.audience(ch.Record)
		if len(audience) == 0 {
			return
		}
		letters, unmade, err := s.write(ctx, ch, b.Elsewhere, audience, now)
		if err != nil {
			s.log.Error("realtime: a change could not be announced", "collection", ch.Record.Collection.Name, "error", err)
			unmade = audience
		}
		changed, over := s.verify(ctx, b, letters)
		s.part(over, "they are nobody's any more")
		if len(changed)+len(over) > 0 && try < announceTries {
			continue
		}
		s.part(changed, "whose they are changes all the time")
		for _, l := range letters {
			if c := l.sub.client; !slices.Contains(changed, c) && !slices.Contains(over, c) {
				s.send(l)
			}
		}
		s.part(clientsOf(unmade), "an event could not be made")
		return
	}
}

// letter is an event for a member of the audience.
type letter struct {
	member
	data []byte
}

// write makes the events of a change, and lists those whose event cannot be made. A delete
// that was made elsewhere was not prepared for.
func (s *Realtime) write(ctx context.Context, ch *changes.Change, elsewhere bool, audience []member, now time.Time) (
	letters []letter, unmade []member, err error,
) {
	before, _ := ch.Prepared.(prepared)
	err = s.store.Read(ctx, func(r store.Reader) error {
		letters, unmade = nil, nil
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
			made := true
			switch {
			case ch.Action == changes.Delete && !elsewhere && a.needsRow(&j):
				data, made = before.answer(a, &j)
			case ch.Action == changes.Delete && elsewhere && j.needsOthers():
			case m.leaves && a.needsRow(&j): // what it needs is of now, when they are nobody
				made = false
			default:
				var err error
				if data, err = a.answer(ctx, &j); err != nil {
					s.log.Warn("realtime: an event could not be made",
						"collection", a.coll.Name, "record", a.rec.ID(), "topic", m.sub.topic, "error", err)
					made = false
				}
			}
			if !made {
				unmade = append(unmade, m)
			} else if data != nil {
				letters = append(letters, letter{m, data})
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return letters, unmade, nil
}

func (s *Realtime) send(l letter) {
	if l.sub.client.push(pando.RealtimeEvent{Name: l.sub.name, Data: l.data}) {
		s.counts.sent.Add(1)
		return
	}
	s.counts.slow.Add(1)
	s.log.Info("realtime: a client was too slow and is cut off", "client", l.sub.client.ip)
	l.sub.client.end()
}
