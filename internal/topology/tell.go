package topology

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// told is what operators have been told last.
type told struct {
	hosts    []string
	primary  string // the last one there was
	timeline uint32
	none     string // there is none: "", or the claims in conflict
	lost     bool
}

// hostTold is the same of one host.
type hostTold struct {
	contact contact
	at      time.Time // of contact
	place   string
}

// tell says what is different from what was told last.
func (w *Watcher) tell() {
	w.tellHosts()
	if w.first {
		w.tellPrimary()
	}
	for _, h := range w.hosts {
		w.tellContact(h)
		if w.first {
			w.tellPlace(h)
		}
	}
}

func (w *Watcher) tellHosts() {
	var now []string
	for _, h := range w.hosts {
		now = append(now, h.name)
	}
	if slices.Equal(now, w.told.hosts) {
		return
	}
	for _, name := range w.told.hosts {
		if !slices.Contains(now, name) {
			w.say(slog.LevelInfo, "%s is not watched any more", name)
		}
	}
	for _, name := range now {
		if len(w.told.hosts) > 0 && !slices.Contains(w.told.hosts, name) {
			w.say(slog.LevelInfo, "%s is watched too from now on", name)
		}
	}
	w.told.hosts = now
}

func (w *Watcher) tellPrimary() {
	t := &w.told
	p := w.primary
	if p == nil {
		if none := names(w.conflict); !t.lost || none != t.none {
			t.lost, t.none = true, none
			w.say(slog.LevelError, "%s", strings.TrimSpace(w.problem()))
		}
		return
	}
	lost := t.lost
	t.lost, t.none = false, ""
	switch {
	case t.primary == "":
		w.say(slog.LevelInfo, "primary is %s (timeline %d)", p.name, w.timeline)
	case t.primary != p.name || t.timeline != w.timeline:
		was := fmt.Sprintf("%s (timeline %d)", t.primary, t.timeline)
		w.say(slog.LevelWarn, "primary is now %s (timeline %d), was %s", p.name, w.timeline, was)
	case lost:
		w.say(slog.LevelInfo, "primary is %s again (timeline %d)", p.name, w.timeline)
	}
	t.primary, t.timeline = p.name, w.timeline
}

// tellContact tells of a host that comes and goes, but not of every time that it
// does.
func (w *Watcher) tellContact(h *host) {
	t := &h.told
	if h.contact == t.contact || time.Since(t.at) < tellEvery {
		return
	}
	name := h.name
	if h == w.primary {
		name = "the primary " + name
	}
	switch {
	case h.contact == silent:
		w.say(slog.LevelWarn, "%s has not answered within %v", name, h.waited)
	case h.contact == unreachable:
		w.say(slog.LevelWarn, "%s cannot be reached: %v", name, h.err)
	case t.contact == unheard: // that it answers is said by what it is
		t.contact = answers
		return
	default:
		w.say(slog.LevelInfo, "%s answers again", name)
	}
	t.contact, t.at = h.contact, time.Now()
}

func (w *Watcher) tellPlace(h *host) {
	var place string
	level := slog.LevelInfo
	switch {
	case h == w.primary || !h.known || slices.Contains(w.conflict, h):
		h.told.place = ""
		return
	case h.refused != "":
		place, level = h.name+" is not used: "+h.refused, slog.LevelWarn
	case h.report.Timeline != w.top:
		place = fmt.Sprintf("%s is a replica (still on timeline %d)", h.name, h.report.Timeline)
	default:
		place = fmt.Sprintf("%s is a replica (timeline %d)", h.name, h.report.Timeline)
	}
	if place != h.told.place {
		h.told.place = place
		w.say(level, "%s", place)
	}
}

func (w *Watcher) say(level slog.Level, format string, args ...any) {
	c := Change{Level: level, Text: fmt.Sprintf(format, args...)}
	w.cfg.Log.Log(context.Background(), level, "database: "+c.Text)
	if w.cfg.OnChange != nil {
		w.cfg.OnChange(c)
	}
}
