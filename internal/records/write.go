package records

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/hook"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/wire"
)

// kind is what an operation does.
type kind uint8

const (
	create kind = iota
	update
	erase
)

// op is one operation of a write. What is above the line is set once; the rest
// is set anew by each try.
type op struct {
	kind   kind
	upsert bool // the kind was found out by looking
	p      *plan
	req    *pando.Request // without the body
	id     string
	draft  *draft
	expand []expandPath
	fields *wire.Picker

	hashes   map[plainText]string // bcrypt hashes, made outside the transaction
	verified map[string]bool      // whether the old password fits a stored hash
	drawn    map[string]string    // generated texts by field
	set      map[int]any          // what hooks set, by position of the field

	// ----
	seen     *pando.Request // req as rules see it
	old, rec *pando.Record
	removed  []string // keys of files that no record names any more
	body     pando.Answer
}

// plainText is a password to be hashed.
type plainText struct {
	field int
	text  string
}

// writing is one write on its way.
type writing struct {
	s      *Records
	ps     *plans
	ops    []*op
	batch  bool
	noted  map[string]bool // keys whose fate hangs on this write
	put    []string        // keys of new files
	astray []string        // those of them of which the store has not said what became of them
	done   bool            // committed
	lost   bool            // failed in a way that does not tell whether it was committed

	notedAt time.Time // when the first was noted, by the wall clock
}

// errRehearsed ends the transaction of a rehearsal.
var errRehearsed = errors.New("records: rehearsal")

// write carries out ops in one transaction. Unless a batch needs them sooner,
// their answers are made by the caller, after it.
func (s *Records) write(ctx context.Context, ps *plans, ops []*op, batch bool) error {
	w := &writing{s: s, ps: ps, ops: ops, batch: batch, noted: map[string]bool{}}
	defer w.settle(context.WithoutCancel(ctx))
	if err := w.rehearse(ctx); err != nil {
		return err
	}
	if err := w.hooked(ctx, 0); err != nil {
		return err
	}
	if !w.done {
		return pando.Invalid("An extension of the server stopped the operation.")
	}
	return nil
}

// chain is the handlers that want to know of an operation.
func (s *Records) chain(k kind) *hook.Chain[*Event] {
	switch k {
	case create:
		return &s.hooks.Create
	case update:
		return &s.hooks.Update
	}
	return &s.hooks.Delete
}

// rehearse finds out whether the operations would succeed before anything is
// done for them that costs: handlers are called, passwords hashed, files put on
// disk. Operations that cost nothing are not rehearsed.
func (w *writing) rehearse(ctx context.Context) error {
	heard, costly := false, false
	for _, o := range w.ops {
		heard = heard || !w.s.chain(o.kind).Empty()
		costly = costly || o.draft != nil && o.draft.costs(o.p.coll)
	}
	switch {
	case w.batch && heard: // later operations see what earlier ones did: only a transaction can tell
		return w.try(ctx, func(ctx context.Context) error {
			_, err := w.s.store.Write(ctx, func(tx store.Tx) error {
				if err := w.apply(ctx, tx); err != nil {
					return err
				}
				return errRehearsed
			})
			if errors.Is(err, errRehearsed) {
				return nil
			}
			return err
		})
	case !w.batch && (heard || costly):
		return w.try(ctx, func(ctx context.Context) error {
			return w.s.store.Read(ctx, func(r store.Reader) error {
				if err := moved(r, w.ps.catalog); err != nil {
					return err
				}
				return w.s.check(ctx, r, w.ops[0])
			})
		})
	}
	return nil
}

// costs tells whether the draft has passwords or files.
func (d *draft) costs(c *pando.Collection) bool {
	return len(d.uploads) > 0 || slices.ContainsFunc(d.changes, func(ch change) bool {
		return c.Fields[ch.field].Type == pando.FieldPassword
	})
}

// hooked calls the handlers of the operations from the i-th on, each around the
// next, and commits innermost.
func (w *writing) hooked(ctx context.Context, i int) error {
	if i == len(w.ops) {
		return w.commit(ctx)
	}
	o := w.ops[i]
	chain := w.s.chain(o.kind)
	if chain.Empty() {
		return w.hooked(ctx, i+1)
	}
	before := o.rec
	e := &Event{Collection: o.p.coll, Request: o.req, Record: before.Clone(), Old: o.old}
	return chain.Run(ctx, e, func(ctx context.Context) error {
		o.set = nil
		if o.kind != erase {
			o.set = differences(before, e.Record)
		}
		if err := w.hooked(ctx, i+1); err != nil {
			return err
		}
		e.Record, e.Old = o.rec, o.old
		return nil
	})
}

// differences is what a handler set, by position of the field. Ids stay.
func differences(before, after *pando.Record) map[int]any {
	set := map[int]any{}
	for i, f := range before.Collection.Fields {
		if f.Name != "id" && !sameValue(before.Values[i], after.Values[i]) {
			set[i] = after.Values[i]
		}
	}
	return set
}

// commit puts the new files on disk and runs the transaction.
func (w *writing) commit(ctx context.Context) error {
	if err := w.hashAll(ctx); err != nil {
		return err
	}
	if err := w.putFiles(ctx); err != nil {
		return err
	}
	err := w.try(ctx, func(ctx context.Context) error {
		_, err := w.s.store.Write(ctx, func(tx store.Tx) error { return w.apply(ctx, tx) })
		return err
	})
	w.done = err == nil
	w.lost = w.lost || isLost(err) // a handler may try it again
	return err
}

// isLost tells whether only the database knows what became of the transaction.
func isLost(err error) bool {
	_, isNeed := errors.AsType[*need](err)
	_, isMoved := errors.AsType[*errMoved](err)
	_, isTurned := errors.AsType[*errTurned](err)
	return store.IsUnknown(err) && !isNeed && !isMoved && !isTurned
}

// apply carries out all operations. It is what runs inside the transaction.
func (w *writing) apply(ctx context.Context, tx store.Tx) error {
	if err := moved(tx, w.ps.catalog); err != nil {
		return err
	}
	var missing []string
	for i, o := range w.ops {
		if err := w.s.applyOne(ctx, tx, o); err != nil {
			return w.failure(i, turned(ctx, tx, i, o, err))
		}
		for _, key := range o.removed {
			if !w.noted[key] {
				missing = append(missing, key)
			}
		}
		if !w.batch || o.kind == erase {
			continue
		}
		body, err := w.s.encode(ctx, tx, o.seen, o.p, o.rec, o.expand)
		if err != nil {
			return w.failure(i, err)
		}
		if o.body, err = o.fields.Pick(body); err != nil {
			return w.failure(i, err)
		}
	}
	if len(missing) > 0 {
		return &need{note: missing}
	}
	return w.inTime()
}

// failure is the error of the i-th operation: of a batch, it says which.
func (w *writing) failure(i int, err error) error {
	if !w.batch {
		return err
	}
	return batchFailure(i, err)
}

func (s *Records) applyOne(ctx context.Context, tx store.Tx, o *op) error {
	o.removed = nil
	switch o.kind {
	case create:
		return s.applyCreate(ctx, tx, o)
	case update:
		return s.applyUpdate(ctx, tx, o)
	}
	return s.applyDelete(ctx, tx, o)
}

// check finds out whether one operation would succeed, without carrying it out.
func (s *Records) check(ctx context.Context, r store.Reader, o *op) error {
	switch o.kind {
	case create:
		return s.checkCreate(ctx, r, o)
	case update:
		return s.checkUpdate(ctx, r, o)
	}
	return s.checkDelete(ctx, r, o)
}
