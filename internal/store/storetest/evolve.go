package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// evolution changes a collection at random, and its records, beside a model of
// what must be there.
type evolution struct {
	f    *fixture
	rnd  *rand.Rand
	c    *pando.Collection
	ids  []string
	rows map[string]map[string]any // by record id, then field id
	made int                       // fields and records so far
}

var evolveTest = test{"any sequence of changes keeps the data", func(f *fixture) {
	for seed := range uint64(6) {
		e := &evolution{f: f, rnd: rand.New(rand.NewPCG(seed, 1)), rows: map[string]map[string]any{}}
		c := base(fmt.Sprint("evolving", seed))
		e.c = f.save(c)
		for step := range 60 {
			what := e.step()
			e.check(fmt.Sprintf("seed %d, step %d: %s", seed, step, what))
			if f.Failed() {
				return
			}
		}
	}
}}

// step does one thing; one in five is rolled back.
func (e *evolution) step() string {
	if len(e.ids) < 3 || e.rnd.IntN(3) == 0 {
		return e.insert()
	}
	next := e.c.Clone()
	what, convert := e.edit(next)
	undo := e.rnd.IntN(5) == 0
	_, err := e.f.store.Write(e.f.ctx, func(tx store.Tx) error {
		if err := tx.SaveCollection(e.f.ctx, e.c, next); err != nil {
			return err
		}
		if undo {
			return errRolledBack
		}
		return nil
	})
	if undo && errors.Is(err, errRolledBack) {
		return what + ", rolled back"
	}
	if err != nil {
		e.f.Errorf("%s: %v", what, err)
		return what
	}
	e.c = e.f.collection(next.ID)
	convert()
	return what
}

func (e *evolution) insert() string {
	e.made++
	r := pando.NewRecord(e.c)
	id := fmt.Sprintf("%02d", 99-e.made%100) + fmt.Sprint(e.made)
	row := map[string]any{}
	for i, f := range e.c.Fields {
		switch {
		case f.Name == "id":
			r.Values[i] = id
		case f.Type == pando.FieldNumber:
			r.Values[i] = float64(e.made)
		case f.Multiple():
			list := []string(nil)
			for k := range e.rnd.IntN(3) {
				list = append(list, fmt.Sprintf("v \"%d\".%d", e.made, k))
			}
			r.Values[i] = list
		case e.rnd.IntN(4) > 0:
			r.Values[i] = fmt.Sprintf("v '%d'", e.made)
		}
		row[f.ID] = r.Values[i]
	}
	e.f.insert(r)
	e.ids = append(e.ids, id)
	e.rows[id] = row
	return "insert"
}

// edit changes c in one to three ways. convert does the same to the model.
func (e *evolution) edit(c *pando.Collection) (what string, convert func()) {
	var converts []func()
	for range 1 + e.rnd.IntN(3) {
		own := c.Fields[1:]
		switch kind := e.rnd.IntN(7); {
		case kind == 0 || len(own) < 2:
			e.made++
			f := []*pando.Field{text("x"), number("x"), one("x"), many("x")}[e.rnd.IntN(4)]
			f.ID, f.Name = fmt.Sprint("id", e.made), fmt.Sprint("f", e.made)
			c.Fields = slices.Insert(c.Fields, 1+e.rnd.IntN(len(c.Fields)), f)
			converts = append(converts, func() {
				for _, row := range e.rows {
					if _, ok := row[f.ID]; !ok {
						row[f.ID] = f.Zero()
					}
				}
			})
			what += "add " + f.Name + "; "
		case kind == 1:
			i := 1 + e.rnd.IntN(len(own))
			what += "drop " + c.Fields[i].Name + "; "
			c.Fields = slices.Delete(c.Fields, i, i+1)
		case kind == 2:
			f := own[e.rnd.IntN(len(own))]
			e.made++
			f.Name = fmt.Sprint("f", e.made)
			what += "rename to " + f.Name + "; "
		case kind == 3:
			a, b := own[e.rnd.IntN(len(own))], own[e.rnd.IntN(len(own))]
			a.Name, b.Name = b.Name, a.Name
			what += "trade " + a.Name + " and " + b.Name + "; "
		case kind == 4:
			f := own[e.rnd.IntN(len(own))]
			if f.Type != pando.FieldSelect {
				continue
			}
			f.Options = &pando.SelectOptions{MaxSelect: map[bool]int{true: 1, false: 5}[f.Multiple()]}
			what += fmt.Sprintf("%s multiple: %v; ", f.Name, f.Multiple())
			converts = append(converts, func() { e.convertModel(f.ID) })
		case kind == 5:
			c.Name += "x"
			what += "rename the collection; "
		default:
			c.Indexes = nil
			if e.rnd.IntN(3) > 0 {
				c.Indexes = []string{"CREATE INDEX `idx_" + c.ID + "` ON `x` (`" + own[e.rnd.IntN(len(own))].Name + "`)"}
			}
			what += "another index; "
		}
	}
	// An index of a field that is gone, or has another name, is the user's to change.
	c.Indexes = slices.DeleteFunc(c.Indexes, func(string) bool { return what != "another index; " })
	return what, func() {
		for _, convert := range converts {
			convert()
		}
	}
}

// convertModel brings a field's values in the model to what the field is now.
func (e *evolution) convertModel(id string) {
	f := e.c.FieldByID(id)
	if f == nil {
		return // dropped in the same change
	}
	for _, row := range e.rows {
		switch v := row[id].(type) {
		case string:
			if f.Multiple() {
				row[id] = []string(nil)
				if v != "" {
					row[id] = []string{v}
				}
			}
		case []string:
			if !f.Multiple() {
				row[id] = ""
				if len(v) > 0 {
					row[id] = v[len(v)-1]
				}
			}
		}
	}
}

func (e *evolution) check(when string) {
	page := e.f.page(store.Query{Collection: e.c, Total: true})
	if got := ids(page.Records); !slices.Equal(got, e.ids) || page.Total != len(e.ids) {
		e.f.Errorf("%s: records are %v of %d, want %v", when, got, page.Total, e.ids)
		return
	}
	for _, r := range page.Records {
		want, got := map[string]any{}, map[string]any{}
		for i, f := range e.c.Fields {
			got[f.Name], want[f.Name] = r.Values[i], e.rows[r.ID()][f.ID]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			e.f.Errorf("%s: %s (-want +got):\n%s", when, r.ID(), diff)
			return
		}
	}
}
