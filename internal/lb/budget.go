package lb

import (
	"sync"
	"time"
)

// budget bounds what is sent again, so that many failures do not become twice as many
// requests: a fifth of the requests of the last ten seconds, and ten a second. What is
// not used dies after ten seconds.
type budget struct {
	mu      sync.Mutex // guards what follows
	seconds [budgetSpan]spent
	now     func() time.Time
}

type spent struct {
	second     int64
	asked, had int
}

const (
	budgetSpan  = 10 // seconds
	budgetShare = 0.2
	budgetFloor = 10 // a second
)

func (b *budget) slot() *spent {
	second := b.now().Unix()
	s := &b.seconds[second%budgetSpan]
	if s.second != second {
		*s = spent{second: second}
	}
	return s
}

// earn counts a request of a client.
func (b *budget) earn() {
	b.mu.Lock()
	b.slot().asked++
	b.mu.Unlock()
}

// spend takes one request from the budget, if there is one left.
func (b *budget) spend() bool { return b.take(1) }

// spare takes one only if half of the budget is left: for what is done for speed, so
// that it takes nothing from what is done for success.
func (b *budget) spare() bool { return b.take(0.5) }

func (b *budget) take(share float64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.slot()
	asked, had := 0, 0
	for i := range b.seconds {
		if s.second-b.seconds[i].second < budgetSpan {
			asked += b.seconds[i].asked
			had += b.seconds[i].had
		}
	}
	if float64(had+1) > share*(budgetShare*float64(asked)+budgetFloor*budgetSpan) {
		return false
	}
	s.had++
	return true
}
