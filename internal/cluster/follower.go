package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// How a load balancer follows who is a member.
const (
	followWait  = time.Second            // one question waits that long for a change
	followSlack = time.Second            // and that much longer for its answer
	followPause = 250 * time.Millisecond // between two rounds in which nobody answered
	followStale = 3 * time.Second        // older news count for nothing, if any are known
	keepAbsent  = 10 * time.Second       // a server that has not said good-bye is kept that long without its row
)

// Muster is who there is, as a load balancer goes by: what it was told last, but that
// a server whose row has vanished without having been marked stays for a while. A row
// may be lost with a primary, and comes back with the next beat; a server that is dead
// is found out by its health.
type Muster struct {
	known map[string]mustered
}

type mustered struct {
	Member
	absent time.Time // since when it is not in the list; zero: it is
}

// Take takes a list of a moment, and tells whether it changes anything.
func (u *Muster) Take(list []Member, now time.Time) (changed bool) {
	if u.known == nil {
		u.known = map[string]mustered{}
	}
	there := make(map[string]bool, len(list))
	for _, m := range list {
		there[m.ID] = true
		before, ok := u.known[m.ID]
		same := before.Member
		same.Beat, same.Load, same.Age = m.Beat, m.Load, m.Age
		changed = changed || !ok || same != m
		u.known[m.ID] = mustered{Member: m}
	}
	for id, m := range u.known {
		switch {
		case there[id]:
		case m.Draining, !m.absent.IsZero() && now.Sub(m.absent) >= keepAbsent:
			delete(u.known, id)
			changed = true
		case m.absent.IsZero():
			m.absent = now
			u.known[id] = m
		}
	}
	return changed
}

// Members are all, by id.
func (u *Muster) Members() []Member {
	list := make([]Member, 0, len(u.known))
	for _, m := range u.known {
		list = append(list, m.Member)
	}
	slices.SortFunc(list, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// Follow asks members who is a member, and calls set with all of them once it knows,
// and whenever that changes, until ctx ends. It begins with seeds, private addresses of
// any members. If nobody answers, everything stays as it was.
func (f *Front) Follow(ctx context.Context, seeds []string, log *slog.Logger, set func([]Member)) error {
	w := follow{front: f, seeds: seeds, log: log, set: set}
	defer w.turnTo(Member{})
	for ctx.Err() == nil {
		if w.round(ctx) {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(followPause/2 + rand.N(followPause)):
		}
	}
	return ctx.Err()
}

// follow is a load balancer that follows.
type follow struct {
	front  *Front
	seeds  []string
	log    *slog.Logger
	set    func([]Member)
	muster Muster

	whom    Member // who is asked now
	client  *http.Client
	version string // what it has told
	lost    bool   // nobody answered in the last round
}

// round asks whoever was asked last, then the others, until one has news that count.
func (w *follow) round(ctx context.Context) bool {
	var problems []error
	var old *rosterBody
	for _, m := range w.candidates() {
		body, err := w.ask(ctx, m)
		if ctx.Err() != nil {
			return true
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", m.Address, err))
			continue
		}
		if stale := time.Duration(body.AgeMS) * time.Millisecond; stale < 0 || stale > followStale {
			problems = append(problems, fmt.Errorf("%s: it has not heard from the database for %s", m.Address, stale))
			old = &body
			continue
		}
		if w.lost {
			w.log.Info("a member tells who is a member again", "server", body.Server, "members", len(body.Members))
		}
		w.lost = false
		w.take(body)
		return true
	}
	w.turnTo(Member{})
	if old != nil && len(w.muster.known) == 0 && old.AgeMS >= 0 {
		w.take(*old) // better than nothing
	}
	if !w.lost {
		w.log.Warn("no member tells who is a member; those that are known stay", "known", len(w.muster.known), "err", errors.Join(problems...))
	}
	w.lost = true
	return false
}

// candidates are those who can be asked, the one who was asked last first, those that
// are about to go last.
func (w *follow) candidates() []Member {
	list := w.muster.Members()
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for _, address := range w.seeds {
		if !slices.ContainsFunc(list, func(m Member) bool { return m.Address == address }) {
			list = append(list, Member{Address: address})
		}
	}
	rank := func(m Member) int {
		switch {
		case m.Draining:
			return 2
		case m.Address == w.whom.Address && (m.ID == w.whom.ID || w.whom.ID == ""):
			return 0
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b Member) int { return cmp.Compare(rank(a), rank(b)) })
	return list
}

// turnTo has the next questions go to m.
func (w *follow) turnTo(m Member) {
	if w.client != nil {
		w.client.CloseIdleConnections()
	}
	w.whom, w.client, w.version = m, nil, ""
	if m.Address == "" {
		return
	}
	w.client = &http.Client{
		Timeout: followWait + followSlack,
		Transport: &http.Transport{
			DisableCompression: true,
			DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return w.front.Control(ctx, m.Address, m.ID) },
		},
	}
}

func (w *follow) ask(ctx context.Context, m Member) (body rosterBody, err error) {
	if m.Address != w.whom.Address || m.ID != w.whom.ID {
		w.turnTo(m)
	}
	query := url.Values{"since": {w.version}, "wait": {fmt.Sprint(followWait.Milliseconds())}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.Address+RosterPath+"?"+query.Encode(), nil)
	if err != nil {
		return body, err
	}
	res, err := w.client.Do(req)
	if err != nil {
		return body, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxRoster))
	if err != nil {
		return body, err
	}
	if res.StatusCode != http.StatusOK {
		return body, fmt.Errorf("it answers %d", res.StatusCode)
	}
	return parseRoster(b)
}

func (w *follow) take(body rosterBody) {
	first := len(w.muster.known) == 0
	w.version = body.Version
	list := make([]Member, len(body.Members))
	for i, m := range body.Members {
		list[i] = Member{ID: m.ID, Boot: m.Boot, Address: m.Address, Version: m.Version, Draining: m.Draining, Load: m.Load,
			Age: time.Duration(m.AgeMS) * time.Millisecond}
	}
	if w.muster.Take(list, time.Now()) || first {
		w.set(w.muster.Members())
	}
}

// FollowRegistry calls set with all members as the database has them, and whenever
// that changes, until ctx ends. While it cannot be asked, everything stays as it was.
func FollowRegistry(ctx context.Context, ask func(context.Context) ([]Member, error), log *slog.Logger, set func([]Member)) error {
	var muster Muster
	tick := time.NewTicker(followPause)
	defer tick.Stop()
	told, lost := false, false
	for {
		limit, cancel := context.WithTimeout(ctx, followWait)
		list, err := ask(limit)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			if !lost {
				log.Warn("the database does not tell who is a member; those that are known stay", "known", len(muster.known), "err", err)
			}
			lost = true
		default:
			if lost {
				log.Info("the database tells who is a member again", "members", len(list))
			}
			lost = false
			if muster.Take(list, time.Now()) || !told {
				set(muster.Members())
				told = true
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
