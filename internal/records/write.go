package records

import (
	"context"
	"errors"
	"slices"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/field"
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

// need is what a try ends with that misses something that must not, or cannot,
// be done inside a transaction.
type need struct {
	op     *op
	hash   []plainText
	verify string   // the stored hash to compare the old password with
	note   []string // keys of files that are about to lose their record
}

func (*need) Error() string { return "records: something is to be done outside the transaction first" }

// writing is one write on its way.
type writing struct {
	s     *Records
	ps    *plans
	ops   []*op
	batch bool
	noted map[string]bool // keys whose fate hangs on this write
	put   []string        // keys of new files
	done  bool            // committed
}

// errRehearsed ends the transaction of a rehearsal.
var errRehearsed = errors.New("records: rehearsal")

// write carries out ops in one transaction. Unless a batch needs them sooner,
// their answers are made by the caller, after it.
func (s *Records) write(ctx context.Context, ps *plans, ops []*op, batch bool) (err error) {
	w := &writing{s: s, ps: ps, ops: ops, batch: batch, noted: map[string]bool{}}
	defer func() {
		if settleErr := w.settle(context.WithoutCancel(ctx)); err == nil {
			err = settleErr
		}
	}()
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
	return err
}

// try runs f, and again as long as it ends with a need, which is met.
func (w *writing) try(ctx context.Context, f func(context.Context) error) error {
	var err error
	for range maxRestarts + len(w.ops) {
		if err = f(ctx); err == nil {
			return nil
		}
		n, isNeed := errors.AsType[*need](err)
		if !isNeed {
			return err
		}
		if err := w.meet(ctx, n); err != nil {
			return err
		}
	}
	return &pando.Error{
		Kind: pando.KindUnavailable, Err: err,
		Message: "The record is being changed by others at this moment. Please try again.",
	}
}

func (w *writing) meet(ctx context.Context, n *need) error {
	for _, h := range n.hash {
		if err := w.hash(ctx, n.op, h); err != nil {
			return err
		}
	}
	if n.verify != "" {
		ok, err := w.s.passwords.Verify(ctx, n.verify, n.op.draft.form.old)
		if err != nil {
			return err
		}
		if n.op.verified == nil {
			n.op.verified = map[string]bool{}
		}
		n.op.verified[n.verify] = ok
	}
	return w.note(ctx, n.note)
}

func (w *writing) hash(ctx context.Context, o *op, h plainText) error {
	if _, done := o.hashes[h]; done {
		return nil
	}
	options := o.p.coll.Fields[h.field].Options.(*pando.PasswordOptions)
	hash, err := w.s.passwords.Hash(ctx, h.text, options.Cost)
	if err != nil {
		if pando.KindOf(err) == pando.KindInvalid {
			return failed(o.kind, nil, err)
		}
		return err
	}
	if o.hashes == nil {
		o.hashes = map[plainText]string{}
	}
	o.hashes[h] = hash
	return nil
}

// hashAll hashes the submitted passwords of a batch before its transaction is
// tried for the first time, so that not each of them ends one try.
func (w *writing) hashAll(ctx context.Context) error {
	for i, o := range w.ops {
		if !w.batch || o.draft == nil {
			continue
		}
		for _, c := range o.draft.changes {
			f := o.p.coll.Fields[c.field]
			plain, _ := c.value.(string)
			if f.Type != pando.FieldPassword || plain == "" || field.Check(f, plain) != nil {
				continue
			}
			if err := w.hash(ctx, o, plainText{c.field, plain}); err != nil {
				return w.failure(i, err)
			}
		}
	}
	return nil
}

// apply carries out all operations. It is what runs inside the transaction.
func (w *writing) apply(ctx context.Context, tx store.Tx) error {
	if err := moved(tx, w.ps.catalog); err != nil {
		return err
	}
	var missing []string
	for i, o := range w.ops {
		if err := w.s.applyOne(ctx, tx, o); err != nil {
			return w.failure(i, err)
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
	return nil
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

// note writes down, before anything happens to them, that the fate of files
// hangs on this write.
func (w *writing) note(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	if err := w.s.blobs.Undecided(ctx, keys); err != nil {
		return err
	}
	for _, key := range keys {
		w.noted[key] = true
	}
	return nil
}

// putFiles stores the new files of all operations.
func (w *writing) putFiles(ctx context.Context) error {
	var keys []string
	for _, o := range w.ops {
		keys = append(keys, o.newKeys()...)
	}
	if err := w.note(ctx, keys); err != nil {
		return err
	}
	for i, o := range w.ops {
		if o.draft == nil {
			continue
		}
		for _, u := range o.draft.uploads {
			if err := w.putFile(ctx, o, u); err != nil {
				return w.failure(i, err)
			}
		}
	}
	return nil
}

func (o *op) newKeys() []string {
	if o.draft == nil {
		return nil
	}
	var keys []string
	for _, u := range o.draft.uploads {
		keys = append(keys, blob.Key(o.p.coll.ID, o.id, u.name))
	}
	return keys
}

func (w *writing) putFile(ctx context.Context, o *op, u *upload) error {
	if u.check() != nil {
		return nil // the transaction will say so
	}
	r, err := u.open()
	if err != nil {
		return err
	}
	defer r.Close()
	key := blob.Key(o.p.coll.ID, o.id, u.name)
	w.put = append(w.put, key)
	return w.s.blobs.Put(ctx, key, r)
}

// settle ends what hung on the write: files that no record names go, and the
// notes with them. A file that cannot be removed now keeps its note, and is
// removed when the server starts the next time.
func (w *writing) settle(ctx context.Context) error {
	if len(w.noted) == 0 {
		return nil
	}
	for _, key := range w.orphans() {
		if w.s.blobs.Delete(ctx, key) != nil || w.s.blobs.DeleteAll(ctx, blob.Thumbs(key)) != nil {
			delete(w.noted, key)
		}
	}
	var settled []string
	for key := range w.noted {
		settled = append(settled, key)
	}
	slices.Sort(settled)
	// The write itself is decided; a note too many only costs a look at the next start.
	_ = w.s.blobs.Decided(ctx, settled)
	return nil
}

// orphans lists the files that belong to no record after all: those removed by
// a write that was committed, and new ones that nobody came to name.
func (w *writing) orphans() []string {
	if !w.done {
		return w.put
	}
	var list []string
	named := map[string]bool{}
	for _, o := range w.ops {
		list = append(list, o.removed...)
		if o.kind != erase {
			for _, key := range fileKeys(o.rec) {
				named[key] = true
			}
		}
	}
	for _, key := range w.put {
		if !named[key] {
			list = append(list, key)
		}
	}
	return list
}

// fileKeys lists where the files of rec lie.
func fileKeys(rec *pando.Record) []string {
	var keys []string
	for _, f := range rec.Collection.Fields {
		if f.Type != pando.FieldFile {
			continue
		}
		for _, name := range rec.Strings(f.Name) {
			keys = append(keys, blob.Key(rec.Collection.ID, rec.ID(), name))
		}
	}
	return keys
}
