package cluster

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pandobase/pando"
	rows "github.com/pandobase/pando/internal/registry"
)

// otherFormats is a registry of members that renew their rows, or do not.
type otherFormats struct {
	rows.Registry
	list  map[string]Member
	still map[string]bool
	leave string // who goes when it was asked for the third time
	asked int
}

func (o *otherFormats) Members(context.Context) ([]Member, error) {
	if o.asked++; o.asked == 3 {
		delete(o.list, o.leave)
	}
	for id, m := range o.list {
		if !o.still[id] {
			m.Beat = uint64(o.asked)
			o.list[id] = m
		}
	}
	return slices.Collect(maps.Values(o.list)), nil
}

func TestNeighbours(t *testing.T) {
	self := Member{ID: "self", Version: "0.5"}
	here := int(formatNewest)
	for _, c := range []struct {
		name    string
		r       otherFormats
		refused bool
		waits   time.Duration
	}{
		{name: "nobody"},
		{name: "the same", r: otherFormats{list: map[string]Member{"a": {ID: "a", Format: here}}}},
		{name: "the next and the one before", r: otherFormats{list: map[string]Member{"a": {ID: "a", Format: here + 1}, "b": {ID: "b", Format: here - 1}}}},
		{name: "one after the next", refused: true, waits: 200 * time.Millisecond,
			r: otherFormats{list: map[string]Member{"a": {ID: "a", Address: "10.0.0.1:7000", Version: "0.9", Format: here + 2}}}},
		{name: "one that is gone, and has left its row", waits: 3 * time.Second,
			r: otherFormats{list: map[string]Member{"a": {ID: "a", Format: here + 2}}, still: map[string]bool{"a": true}}},
		{name: "one that goes", waits: 400 * time.Millisecond,
			r: otherFormats{list: map[string]Member{"a": {ID: "a", Format: here + 2}}, still: map[string]bool{"a": true}, leave: "a"}},
		{name: "this server's earlier life", r: otherFormats{list: map[string]Member{"self": {ID: "self", Format: here + 2}}}},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			err := Neighbours(t.Context(), &c.r, self)
			if (err != nil) != c.refused || time.Since(began) != c.waits {
				t.Errorf("%s: %v after %v; want refused %v after %v", c.name, err, time.Since(began), c.refused, c.waits)
			}
			if err == nil {
				return
			}
			for _, part := range []string{"10.0.0.1:7000", "0.9", "0.5", "one server after the other"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s: %q does not say %q", c.name, err, part)
				}
			}
			if pando.KindOf(err) != pando.KindInvalid {
				t.Errorf("%s: kind %v", c.name, pando.KindOf(err))
			}
		})
	}
}

// A load balancer reads what a newer member says, as far as it knows the words.
func TestARosterOfANewerVersion(t *testing.T) {
	body, err := parseRoster([]byte(`{"server":"a","version":"a.1","ageMs":3,"mood":{"is":"good"},
		"members":[{"id":"a","boot":"1","address":"10.0.0.1:7000","version":"9.9","format":9,"draining":true,"load":0.5,"ageMs":7,"shoes":[1,2]}]}`))
	want := rosterLine{ID: "a", Boot: "1", Address: "10.0.0.1:7000", Version: "9.9", Draining: true, Load: 0.5, AgeMS: 7}
	if err != nil || len(body.Members) != 1 || body.Members[0] != want || body.Version != "a.1" {
		t.Errorf("%+v, %v", body, err)
	}
}
