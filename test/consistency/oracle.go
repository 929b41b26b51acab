package consistency

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pandobase/pando/test/judge"
)

// oracle is a second opinion on what was committed, and in which order: PostgreSQL's own,
// by a slot that the server has no part in. What the log says is compared with what was
// answered.
type oracle struct {
	w   *world
	log *slot

	n      map[string]int64         // the last value of each record, by table and id
	rows   map[string]int64         // how many records each table was given
	states map[[counters]int64]bool // all that the counters ever were at once
	now    [counters]int64          // what they are
	turned bool                     // that differs from the last state
}

const oracleEach = 500 * time.Millisecond

// newOracle is one that has read nothing.
func (w *world) newOracle(log *slot) *oracle {
	return &oracle{w: w, log: log, n: map[string]int64{}, rows: map[string]int64{}, states: map[[counters]int64]bool{{}: true}}
}

// follow reads the log until ctx ends.
func (o *oracle) follow(ctx context.Context) {
	for ; ctx.Err() == nil; pause(ctx, oracleEach) {
		if _, err := o.read(); err != nil {
			o.w.report.failure(ctx, err)
			return
		}
	}
}

// read takes what the log has by now, and tells whether that was something.
func (o *oracle) read() (bool, error) {
	text, err := o.log.read()
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(text) {
		o.line(strings.TrimSuffix(line, "\n"))
	}
	return text != "", nil
}

var (
	lineOf  = regexp.MustCompile(`^table public\.(\w+): (INSERT|UPDATE|DELETE): (.*)$`)
	idIn    = regexp.MustCompile(`(?:^|[ :])id\[[^\]]*\]:'([^']*)'`)
	valueIn = regexp.MustCompile(`(?:^|[ :])n\[[^\]]*\]:(-?[0-9.e+]+)`)
)

// line is one of the log.
func (o *oracle) line(text string) {
	if text == "COMMIT" {
		if o.turned {
			o.states[o.now], o.turned = true, false
		}
		return
	}
	parts := lineOf.FindStringSubmatch(text)
	if parts == nil || parts[2] == "DELETE" {
		return
	}
	table, row := parts[1], parts[3]
	if parts[2] == "INSERT" {
		o.rows[table]++
	}
	of, counts := o.w.counted(table)
	if !counts {
		return
	}
	if _, after, ok := strings.Cut(row, "new-tuple:"); ok {
		row = after
	}
	id, value := idIn.FindStringSubmatch(row), valueIn.FindStringSubmatch(row)
	if id == nil || value == nil {
		o.w.report.violation("the oracle does not understand: %.300s", text)
		return
	}
	i := slices.IndexFunc(of, func(c countedRecord) bool { return c.id == id[1] })
	if i < 0 {
		return // one of the many
	}
	n, err := strconv.ParseFloat(value[1], 64)
	if err != nil {
		o.w.report.violation("the oracle does not understand: %.300s", text)
		return
	}
	v, key := int64(n), table+"/"+id[1]
	if last := o.n[key]; v != last && v != last+1 {
		o.w.report.violation("the log has %s counted from %d to %d", key, last, v)
	}
	o.n[key] = v
	if table == "counters" {
		o.now[i], o.turned = v, true
	}
}

// countedRecord is one that is counted up by one, and what was answered of it.
type countedRecord struct {
	id string
	*judge.Register
}

// counted are those of a table.
func (w *world) counted(table string) (list []countedRecord, ok bool) {
	of := func(registers []judge.Register) {
		for i := range registers {
			list = append(list, countedRecord{counterID(i), &registers[i]})
		}
	}
	switch table {
	case "counters":
		of(w.records[:])
	case "crowd":
		of(w.crowd[:])
	case "beside":
		of(w.outside[:])
	case "twins":
		of(w.twins[:])
	case "many":
		list = append(list, countedRecord{manyID(0), &w.many})
	default:
		return nil, false
	}
	return list, true
}

// check is called when all have ended: whatever was answered is in the log, and all records
// that were shown at once are what one moment of it has.
func (o *oracle) check() error {
	for {
		if more, err := o.read(); err != nil {
			return err
		} else if !more {
			break
		}
	}
	for _, table := range []string{"counters", "crowd", "beside", "twins", "many"} {
		list, _ := o.w.counted(table)
		for _, r := range list {
			if v := o.n[table+"/"+r.id]; v < r.Reached() || v > r.Sent() {
				o.w.report.violation("the log has %s of %s at %d in the end, and somebody was answered %d (sent: %d)", r.id, table, v, r.Reached(), r.Sent())
			}
		}
	}
	if n, least := o.rows["growing"], o.w.created.Reached(); n < least {
		o.w.report.violation("the log has %d records that were made, and somebody was answered %d", n, least)
	}
	if o.w.deaf { // lists are moments of what the primary shows, of one history too: see Chain
		return nil
	}
	for _, state := range o.w.lists.States() {
		if !o.states[[counters]int64(state)] {
			o.w.report.violation("a list is of no moment of the log: %v", state)
		}
	}
	return nil
}
