package topology

import (
	"fmt"
	"strings"

	"github.com/pandobase/pando/internal/position"
)

// mayRead says why a host that is not the primary may not be read; "" if it may,
// up to limit if that is not 0. The texts name nothing that changes from probe
// to probe: each is logged once.
func (w *Watcher) mayRead(h *host) (limit position.N, why string) {
	r := h.report
	switch {
	case !h.known:
		return 0, "it has not answered yet"
	case r.System != w.system:
		return 0, fmt.Sprintf("it belongs to another database system (%d, not %d): check the address", r.System, w.system)
	case !r.InRecovery:
		return 0, w.notPrimary(h)
	case r.Timeline == 0:
		return 0, "which timeline it follows is not known: it receives nothing from a primary"
	case r.Timeline == w.top:
		if w.history.Timeline != w.top && w.timeline != 0 {
			return 0, fmt.Sprintf("timeline %d is new, and its primary has not been found yet", w.top)
		}
		return 0, ""
	}
	at, ok := w.history.Fork(r.Timeline)
	switch {
	case w.history.Timeline != w.top || !ok:
		return 0, fmt.Sprintf("it is on timeline %d, others are on %d, and where that one began is not known", r.Timeline, w.top)
	case r.Replay > at:
		return 0, fmt.Sprintf("it has more of timeline %d than is true: that one was left at %s for timeline %d", r.Timeline, at.LSN(), w.top)
	}
	return at, ""
}

// notPrimary says why a host that claims to be the primary is not.
func (w *Watcher) notPrimary(h *host) string {
	switch {
	case len(w.conflict) > 0 && h.report.Timeline == w.top && !w.shorter(h):
		return "it is not the only one that says that it is the primary"
	case h.report.Timeline < w.top:
		return fmt.Sprintf("it was the primary of timeline %d, and others are on %d: it must not be written to", h.report.Timeline, w.top)
	case w.shorter(h):
		return fmt.Sprintf("its log of timeline %d ends before positions that it had reached: "+
			"it was restored from a copy. Restart Pando if that is what is wanted", h.report.Timeline)
	}
	return "another host has taken its place"
}

// problem says why there is no primary that can be used; "" if there is one.
func (w *Watcher) problem() string {
	p := w.primary
	switch {
	case len(w.conflict) > 0:
		return fmt.Sprintf("%s all say that they are the primary of timeline %d: nothing is written until only one does "+
			"(or is one server listed twice?)", names(w.conflict), w.top)
	case p != nil && p.contact == silent:
		return fmt.Sprintf("the primary %s has not answered since %s", p.name, p.since.Format("15:04:05.000"))
	case p != nil && p.contact == unreachable:
		return fmt.Sprintf("the primary %s cannot be reached: %v", p.name, p.err)
	case p != nil && p.member.Load().Silent():
		return fmt.Sprintf("a connection to the primary %s failed just now", p.name)
	case p != nil:
		return ""
	case len(w.hosts) == 0:
		return "no primary: there are no hosts"
	}
	var each []string
	for _, h := range w.hosts {
		switch {
		case h.contact == unreachable:
			each = append(each, fmt.Sprintf("%s cannot be reached: %v", h.name, h.err))
		case h.contact == silent || !h.known:
			each = append(each, h.name+" does not answer")
		case h.refused != "":
			each = append(each, h.name+": "+h.refused)
		default:
			each = append(each, h.name+" is a replica")
		}
	}
	return "no primary: " + strings.Join(each, "; ")
}

func names(hosts []*host) string {
	list := make([]string, len(hosts))
	for i, h := range hosts {
		list[i] = h.name
	}
	return strings.Join(list, " and ")
}
