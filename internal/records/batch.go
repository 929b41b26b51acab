package records

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// Batch carries out all ops in one transaction, or none. req is the outer call:
// its identity counts for all of them.
func (s *Records) Batch(ctx context.Context, req *pando.Request, ops []pando.BatchOp) ([]pando.BatchResult, error) {
	var results []pando.BatchResult
	err := s.withCatalog(func(ps *plans) error {
		list, err := s.writeBatch(ctx, ps, req, ops)
		if err != nil {
			return err
		}
		results = make([]pando.BatchResult, len(list))
		for i, o := range list {
			if o.kind == erase {
				results[i] = pando.BatchResult{Status: http.StatusNoContent, Body: json.RawMessage("null")}
			} else {
				results[i] = pando.BatchResult{Status: http.StatusOK, Body: json.RawMessage(o.body)}
			}
		}
		return nil
	})
	return results, err
}

// writeBatch begins the ops and carries them out, and begins them anew as long as an
// upsert turns out to be the other of the two things that it can be.
func (s *Records) writeBatch(
	ctx context.Context, ps *plans, req *pando.Request, ops []pando.BatchOp,
) ([]*op, error) {
	found := map[int]bool{}
	var err error
	for range maxRestarts + len(ops) {
		var list []*op
		if list, err = s.batchOps(ctx, ps, req, ops, found); err != nil {
			return nil, err
		}
		err = s.write(ctx, ps, list, true)
		t, turned := errors.AsType[*errTurned](err)
		if !turned {
			return list, err
		}
		found[t.op] = t.there
	}
	return nil, changing(err)
}

// errTurned tells that the record of an upsert, the op of this number, is there when
// its turn comes although there was none before, or the other way round.
type errTurned struct {
	op    int
	there bool
}

func (e *errTurned) Error() string {
	return fmt.Sprintf("records: the record of upsert %d came or went meanwhile", e.op)
}

// turned is the error of the i-th op, which failed with err. Whether an upsert creates
// or updates is decided before the transaction, and only there it can be seen whether
// that was right.
func turned(ctx context.Context, tx store.Tx, i int, o *op, err error) error {
	if !o.upsert || unable(err) {
		return err
	}
	_, look := tx.Record(ctx, o.p.coll, o.id)
	if look != nil && !isNotFound(look) {
		return look
	}
	if there := look == nil; there != (o.kind == update) {
		return &errTurned{i, there}
	}
	return err
}

// batchOps begins the ops. found is whether the records of upserts were there in an
// earlier try, by the number of the op.
func (s *Records) batchOps(
	ctx context.Context, ps *plans, req *pando.Request, ops []pando.BatchOp, found map[int]bool,
) ([]*op, error) {
	list := make([]*op, len(ops))
	fated := map[[2]string]bool{} // records that earlier ops make (true) or remove (false)
	for i, b := range ops {
		inner := *req
		inner.Context, inner.Method, inner.Body = "batch", b.Method, nil
		inner.Query, inner.Header = b.Query, b.Header
		foreseen := func(collection, id string) (there, known bool) {
			if there, known = found[i]; !known {
				there, known = fated[[2]string{collection, id}]
			}
			return there, known
		}
		k, id, err := s.batchKind(ctx, ps, &b, foreseen)
		if err != nil {
			return nil, batchFailure(i, err)
		}
		o, err := s.newOp(ctx, ps, &inner, k, b.Collection, id, b.Input, b.Projection)
		if err != nil {
			return nil, batchFailure(i, err)
		}
		o.upsert = b.Action == pando.BatchUpsert
		list[i] = o
		fated[[2]string{o.p.coll.ID, o.id}] = k != erase
	}
	return list, nil
}

// batchKind tells what an op does; an upsert is an update if the body's id will
// be there when its turn comes: as foreseen, else if it is there now.
func (s *Records) batchKind(
	ctx context.Context, ps *plans, b *pando.BatchOp, foreseen func(collection, id string) (there, known bool),
) (kind, string, error) {
	switch b.Action {
	case pando.BatchCreate:
		return create, "", nil
	case pando.BatchUpdate:
		return update, b.ID, nil
	case pando.BatchDelete:
		return erase, b.ID, nil
	case pando.BatchUpsert:
	default:
		return create, "", pando.Invalid("Unknown batch action %q.", b.Action)
	}
	id, _ := b.Input.Body["id"].(string)
	p := ps.collection(b.Collection)
	if id == "" || p == nil || p.coll.IsView() {
		return create, "", nil
	}
	if there, known := foreseen(p.coll.ID, id); known {
		if there {
			return update, id, nil
		}
		return create, "", nil
	}
	err := s.store.Read(ctx, func(r store.Reader) error {
		if err := moved(r, ps.catalog); err != nil {
			return err
		}
		_, err := r.Record(ctx, p.coll, id)
		return err
	})
	switch {
	case err == nil:
		return update, id, nil
	case isNotFound(err):
		return create, "", nil
	}
	return create, "", err
}

// batchFailure is the error of a batch whose i-th op failed. What is not the
// op's own fault stays what it is.
func batchFailure(i int, err error) error {
	if _, isNeed := errors.AsType[*need](err); isNeed {
		return err
	}
	if _, isMoved := errors.AsType[*errMoved](err); isMoved {
		return err
	}
	e, ok := errors.AsType[*pando.Error](err)
	if !ok || unable(err) {
		return err
	}
	return &pando.Error{
		Kind:    pando.KindInvalid,
		Message: "Batch transaction failed.",
		Data: pando.FieldErrors{"requests": pando.FieldErrors{strconv.Itoa(i): pando.FieldErrors{
			"code":     "batch_request_failed",
			"message":  "Batch request failed.",
			"response": e,
		}}},
		Err: err,
	}
}
