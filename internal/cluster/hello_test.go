package cluster

import (
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/position"
)

// A HELLO without a lease that was long under way comes after the one by which its
// member got a lease: that one is waited for until it has none.
func TestALateHello(t *testing.T) {
	now := int64(time.Hour)
	r := bareReign(&now)
	comes := func(h hello) *peer {
		a, b := net.Pipe()
		t.Cleanup(func() { a.Close(); b.Close() })
		p := &peer{who: who{"web1", "boot"}, out: newOutbox(a)}
		r.join(p, h)
		return p
	}
	first := comes(hello{Leased: true})
	if !first.counted || first.until != now+int64(550*time.Millisecond) {
		t.Fatalf("with a lease it is counted: %v until %d", first.counted, first.until)
	}
	late := comes(hello{})
	if !late.counted || late.until != first.until {
		t.Errorf("counted %v until %d, which was %d", late.counted, late.until, first.until)
	}
	now = late.until + 1
	r.expire(now)
	if next := comes(hello{}); late.counted || next.counted {
		t.Error("without a lease it is counted for longer than it can have had one")
	}
}

// One who is farther away than the others never has an ack come to where S is by then,
// while commits come all the time. It counts nevertheless, and S waits for it from then
// on; a lease takes a probe that is asked after that.
func TestAMemberFromAfar(t *testing.T) {
	now := int64(time.Hour)
	r := bareReign(&now)
	r.log, r.number, r.row.Term = new(tail), 1, 1
	p := &peer{who: who{"web1", "boot"}, out: newOutbox(nil), acked: true, mark: 1000, marked: now, probing: 5, echo: 6}
	r.peers[p] = struct{}{}
	const trip, each = int64(30 * time.Millisecond), 10
	for sent := position.N(1000); sent <= 1400; sent += 100 { // that is how much is sent during a trip
		r.sent, r.safe = sent, sent-each
		r.heed(p, ack{Term: 1, Number: 1, Frontier: sent - 100, T: now - trip/2})
		if sent == 1000 && p.counted {
			t.Fatal("it counts before it has come to where it had to be")
		}
		now += trip
	}
	if !p.counted || p.f >= r.safe {
		t.Fatalf("counted %v at %d, S %d", p.counted, p.f, r.safe)
	}
	if p.probing != 0 || p.echo != 0 {
		t.Error("a probe of before is echoed")
	}
	slow := &peer{who: who{"web2", "boot"}, out: newOutbox(nil), acked: true, mark: 1900, marked: now}
	r.peers[slow] = struct{}{}
	for sent := position.N(2000); sent <= 3000; sent += 100 {
		r.sent, r.safe = sent, sent-each
		r.heed(slow, ack{Term: 1, Number: 1, Frontier: sent - 1000, T: now})
		now += r.n.cfg.lag() + 1
	}
	if slow.counted {
		t.Error("one counts that is later than it may be")
	}
}

// bareReign is one without a log and without anybody.
func bareReign(now *int64) *reign {
	n := &Node{cfg: Config{
		Lease: 500 * time.Millisecond, Margin: 50 * time.Millisecond, BootTime: func() int64 { return *now },
	}, log: slog.New(slog.DiscardHandler)}
	return &reign{n: n, peers: map[*peer]struct{}{}, ghosts: map[who]ghost{}, heard: map[string]bool{}, waited: map[string]bool{}}
}
