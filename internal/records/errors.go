package records

import (
	"errors"
	"fmt"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// maxRestarts bounds how often one request is begun anew because the catalog,
// or the record that it is about, changed under it.
const maxRestarts = 20

// errMoved tells that the snapshot at hand has a newer catalog than the request
// was begun with.
type errMoved struct{ catalog *store.Catalog }

func (e *errMoved) Error() string {
	return fmt.Sprintf("records: the catalog moved on to version %d", e.catalog.Version)
}

// moved is the error for a reader whose catalog is not c's; nil if it is.
func moved(r store.Reader, c *store.Catalog) error {
	if now := r.Catalog(); now.Version != c.Version {
		return &errMoved{now}
	}
	return nil
}

// withCatalog runs f with the newest catalog, and again with a newer one as
// long as f finds that it moved.
func (s *Records) withCatalog(f func(*plans) error) error {
	ps := s.published(s.store.Catalog())
	var err error
	for range maxRestarts {
		if err = f(ps); err == nil {
			return nil
		}
		m, isMoved := errors.AsType[*errMoved](err)
		if !isMoved {
			return err
		}
		ps = s.published(m.catalog)
	}
	return &pando.Error{
		Kind: pando.KindUnavailable, Err: err,
		Message: "The collections are being changed at this moment. Please try again.",
	}
}

// changing is the error of a write that was begun anew too often, because of err.
func changing(err error) error {
	return &pando.Error{
		Kind: pando.KindUnavailable, Err: err,
		Message: "The record is being changed by others at this moment. Please try again.",
	}
}

func noCollection() error {
	return &pando.Error{Kind: pando.KindNotFound, Message: "Missing collection context."}
}

func superusersOnly() error {
	return &pando.Error{Kind: pando.KindForbidden, Message: "Only superusers can perform this action."}
}

func isView() error { return pando.Invalid("Unsupported collection type.") }

// notFound hides why there is nothing to be seen; err is for the log.
func notFound(err error) error {
	e := pando.NotFound()
	e.Err = err
	return e
}

// unable tells whether an error is of the machine: nobody knows then what there is, and who
// may see it.
func unable(err error) bool {
	kind := pando.KindOf(err)
	return err != nil && (kind == pando.KindInternal || kind == pando.KindUnavailable)
}

// failed is the error of a write that was refused; its data says why, as far as
// the caller may know.
func failed(k kind, data pando.FieldErrors, err error) error {
	text := "Failed to create record."
	if k == update {
		text = "Failed to update record."
	}
	return &pando.Error{Kind: pando.KindInvalid, Message: text, Data: data, Err: err}
}

// notUnique says which fields a unique index refused.
func notUnique(k kind, e *store.UniqueError) error {
	fields := e.Fields
	if e.Index == "" {
		fields = []string{"id"}
	}
	data := pando.FieldErrors{}
	for _, name := range fields {
		data[name] = &pando.FieldError{Code: "validation_not_unique", Message: "Value must be unique."}
	}
	return failed(k, data, e)
}

func isNotFound(err error) bool { return err != nil && pando.KindOf(err) == pando.KindNotFound }
