package topology

import (
	"fmt"
	"strings"
	"time"

	"github.com/pandobase/pando/internal/position"
)

// Status is everything there is to show.
type Status struct {
	Primary  string         `json:"primary"` // "" if there is none
	Timeline uint32         `json:"timeline"`
	System   uint64         `json:"system,string"`
	Problem  string         `json:"problem,omitempty"` // why there is no primary that can be used
	Members  []MemberStatus `json:"members"`
	// Flush is where the primary's log was on disk when it was probed for the last time
	// but one, so that whoever follows the log has had a moment to get there; 0: there
	// is no primary.
	Flush position.N `json:"-"`
}

// MemberStatus is one host. What it says of itself is as of the last answer.
type MemberStatus struct {
	Host     string    `json:"host"`
	Role     string    `json:"role"`          // primary, replica, refused, unknown
	Why      string    `json:"why,omitempty"` // why it is refused
	Contact  string    `json:"contact"`       // answers, silent, unreachable, unheard
	Since    time.Time `json:"since"`         // of Contact
	Error    string    `json:"error,omitempty"`
	Eligible bool      `json:"eligible"` // chosen now, for writes or for reads
	Timeline uint32    `json:"timeline"`
	Flush    string    `json:"flush,omitempty"`
	Receive  string    `json:"receive,omitempty"`
	Replay   string    `json:"replay,omitempty"`
	LagMS    float64   `json:"lagMs"`    // 0 for a replica that has all there is
	LagBytes uint64    `json:"lagBytes"` // behind the primary; without one, behind what it has received
	InFlight int64     `json:"inFlight"`
	Catalog  uint64    `json:"catalog"`
	Version  int       `json:"version"`
}

// String is the word for operators.
func (c contact) String() string {
	return [...]string{"unheard", "answers", "silent", "unreachable"}[c]
}

// Status says everything there is to show.
func (w *Watcher) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := Status{Timeline: w.top, System: w.system, Problem: w.problem(), Members: make([]MemberStatus, len(w.hosts))}
	if w.primary != nil {
		s.Primary, s.Flush = w.primary.name, w.earlier
	}
	for i, h := range w.hosts {
		s.Members[i] = w.memberStatus(h)
	}
	return s
}

func (w *Watcher) memberStatus(h *host) MemberStatus {
	r, m := h.report, h.member.Load()
	s := MemberStatus{
		Host: h.name, Role: "refused", Why: h.refused, Contact: h.contact.String(), Since: h.since,
		Eligible: h.used && !m.Silent(), Timeline: r.Timeline, InFlight: m.InFlight(), Catalog: r.Catalog, Version: r.Version,
	}
	if h.err != nil {
		s.Error = h.err.Error()
	}
	switch {
	case !h.known || !w.first:
		s.Role, s.Why = "unknown", ""
		return s
	case h == w.primary:
		s.Role = "primary"
	case h.refused == "":
		s.Role = "replica"
	}
	if !r.InRecovery {
		s.Flush = r.Flush.LSN()
		return s
	}
	replay := max(r.Replay, m.Reached())
	s.Receive, s.Replay = r.Receive.LSN(), replay.LSN()
	if w.ours(h) {
		s.LagBytes = behind(w.end(h), replay)
	}
	if s.LagBytes > 0 { // on an idle primary, time alone is no lag
		s.LagMS = r.LagMS
	}
	return s
}

// end is the position that a replica would be at if it had no lag.
func (w *Watcher) end(h *host) position.N {
	if w.timeline == w.top {
		return max(w.flush, h.report.Receive)
	}
	return h.report.Receive
}

func behind(end, at position.N) uint64 {
	if at >= end {
		return 0
	}
	return uint64(end - at)
}

// String says it in words, a line for each host.
func (s Status) String() string {
	var b strings.Builder
	if s.Problem != "" {
		b.WriteString(s.Problem)
	}
	for _, m := range s.Members {
		if b.Len() > 0 {
			b.WriteString("\n  ")
		}
		b.WriteString(m.String())
	}
	return b.String()
}

// String says of one host what it is, how it is, and how far behind.
func (m MemberStatus) String() string {
	text := fmt.Sprintf("%s %s %s since %s", m.Host, m.Role, m.Contact, m.Since.UTC().Format(time.RFC3339))
	if m.Role != "unknown" {
		text += fmt.Sprintf(", timeline %d", m.Timeline)
	}
	switch m.Role {
	case "primary":
		text += ", position " + m.Flush
	case "replica":
		text += fmt.Sprintf(", position %s, lag %.0f ms (%d bytes)", m.Replay, m.LagMS, m.LagBytes)
	}
	if !m.Eligible {
		text += ", not used"
	}
	for _, why := range []string{m.Why, m.Error} {
		if why != "" {
			text += ": " + why
		}
	}
	return text
}
