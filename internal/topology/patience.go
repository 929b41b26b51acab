package topology

import "time"

// patience is how long a host may take to answer the next probe. A machine that has too
// much to do answers late, not never, and to hold that for silence makes it worse: who
// was connected connects again, and who reads reads elsewhere. So a host that has lately
// been slow is given more time, and one that does not answer more each time, within
// bounds.
type patience struct {
	least, now time.Duration
}

const (
	// mostPatience is how long a frozen host can go unnoticed, at the worst.
	mostPatience = time.Second
	// patienceFactor is how much slower than before a host may become.
	patienceFactor = 4
	// patienceMemory is after how many probes most of a slow one is forgotten.
	patienceMemory = 16
)

func (p *patience) answered(took time.Duration) {
	want := p.within(patienceFactor * took)
	p.now = max(want, p.now-max(p.now-want, 0)/patienceMemory)
}

func (p *patience) silent() { p.now = p.within(2 * p.now) }

func (p *patience) within(d time.Duration) time.Duration {
	return max(p.least, min(d, mostPatience))
}
