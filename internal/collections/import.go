package collections

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
	"github.com/pandobase/pando/internal/store"
)

// Import saves many definitions at once, in one transaction. Each is merged into
// the stored one of its id (of its name, if it comes without an id): what it
// leaves out stays as it is, and so do fields that it does not list, unless
// deleteMissing. With deleteMissing, collections that are not listed go as well.
// Nothing of the system is ever removed.
func (s *Service) Import(ctx context.Context, collections []json.RawMessage, deleteMissing bool) error {
	if len(collections) == 0 {
		return invalid("An error occurred while validating the submitted data.", pando.FieldErrors{"collections": field.Blank()})
	}
	return s.removing(ctx, nil, func(tx store.Tx) ([]string, error) {
		i := importing{tx: tx, deleteMissing: deleteMissing}
		err := i.run(ctx, collections)
		return storage(i.gone...), err
	})
}

// importing is one import in its transaction.
type importing struct {
	tx            store.Tx
	deleteMissing bool
	items         []item
	gone          []*pando.Collection
}

// item is one definition with what it replaces (nil if it is new).
type item struct{ old, c *pando.Collection }

func (i *importing) run(ctx context.Context, bodies []json.RawMessage) error {
	for _, body := range bodies {
		if err := i.read(body); err != nil {
			return err
		}
	}
	if err := i.remove(ctx); err != nil {
		return err
	}
	// Views come last: they read the others.
	slices.SortStableFunc(i.items, func(a, b item) int {
		return boolOrder(a.c.IsView()) - boolOrder(b.c.IsView())
	})
	if err := i.checkStructure(); err != nil {
		return err
	}
	for _, it := range i.items {
		if err := i.save(ctx, it); err != nil {
			return err
		}
	}
	for _, it := range i.items {
		v := &validator{catalog: i.tx.Catalog(), old: it.old, c: it.c, saved: true, errs: pando.FieldErrors{}}
		v.structure()
		v.meaning()
		if len(v.errs) > 0 {
			return notValid(it.c, v.errs)
		}
	}
	return nil
}

func boolOrder(later bool) int {
	if later {
		return 1
	}
	return 0
}

// read merges one body into what it replaces.
func (i *importing) read(body json.RawMessage) error {
	raw, err := object(body)
	if err != nil {
		return notImported("An item of the list is no collection: " + err.Error())
	}
	var head struct {
		ID   string               `json:"id"`
		Name string               `json:"name"`
		Type pando.CollectionType `json:"type"`
	}
	if raw != nil {
		if err := json.Unmarshal(raw, &head); err != nil {
			return notImported(err.Error())
		}
	}
	old := i.find(head.ID, head.Name)
	var c *pando.Collection
	if old != nil {
		c = old.Clone()
	} else {
		if head.Type == "" {
			head.Type = pando.TypeBase
		}
		c = scaffold(head.Type)
	}
	if err := merge(c, raw); err != nil {
		return notImported(err.Error())
	}
	if old != nil {
		c.ID = old.ID
		i.keepFields(old, c)
		rotate(old, c)
	} else if c.ID == "" {
		c.ID = freeCollectionID(i.tx.Catalog(), c)
	}
	for _, other := range i.items {
		if other.c.ID == c.ID {
			return notImported(fmt.Sprintf("The collection %q (%s) is listed twice.", c.Name, c.ID))
		}
	}
	if c.Updated = now(); c.Created == "" {
		c.Created = c.Updated
	}
	i.items = append(i.items, item{old, c})
	return nil
}

func (i *importing) find(id, name string) *pando.Collection {
	ref := id
	if ref == "" {
		ref = name
	}
	found := i.tx.Catalog().Collection(ref)
	if found != nil && id != "" && found.ID != id {
		return nil
	}
	return found
}

// keepFields gives the fields of c the ids of old's fields of the same name and
// type, and adds those of old that are not to be lost.
func (i *importing) keepFields(old, c *pando.Collection) {
	if c.IsView() {
		return
	}
	for _, f := range c.Fields {
		if was := old.Field(f.Name); was != nil && was.Type == f.Type && c.FieldByID(was.ID) == nil {
			f.ID = was.ID
		}
	}
	for _, was := range old.Fields {
		if c.FieldByID(was.ID) == nil && (was.System || !i.deleteMissing) {
			c.Fields = append(c.Fields, was.Clone())
		}
	}
}

// remove drops what is not listed, views first.
func (i *importing) remove(ctx context.Context) error {
	if !i.deleteMissing {
		return nil
	}
	for _, c := range i.tx.Catalog().Collections {
		listed := slices.ContainsFunc(i.items, func(it item) bool { return it.c.ID == c.ID })
		if !listed && !c.System {
			i.gone = append(i.gone, c)
		}
	}
	slices.SortStableFunc(i.gone, func(a, b *pando.Collection) int { return boolOrder(!a.IsView()) - boolOrder(!b.IsView()) })
	// A view may read another one: the newest goes first.
	views := slices.IndexFunc(i.gone, func(c *pando.Collection) bool { return !c.IsView() })
	if views < 0 {
		views = len(i.gone)
	}
	slices.Reverse(i.gone[:views])
	for _, c := range i.gone {
		if err := drop(ctx, i.tx, c); err != nil {
			return i.failed(err)
		}
	}
	return nil
}

// checkStructure refuses what must not reach the database. The catalog is the
// one that there will be; the queries of views cannot be judged yet.
func (i *importing) checkStructure() error {
	now := i.tx.Catalog()
	var all []*pando.Collection
	for _, c := range now.Collections {
		if !slices.ContainsFunc(i.items, func(it item) bool { return it.c.ID == c.ID }) {
			all = append(all, c)
		}
	}
	for _, it := range i.items {
		complete(it.c, it.old)
		all = append(all, it.c)
	}
	future := store.NewCatalog(now.Version, now.Settings, all)
	for _, it := range i.items {
		v := &validator{catalog: future, old: it.old, c: it.c, saved: true, errs: pando.FieldErrors{}}
		v.structure()
		if it.c.IsView() {
			delete(v.errs, "fields")
		} else {
			v.foreseeIndexes()
		}
		if len(v.errs) > 0 {
			return notValid(it.c, v.errs)
		}
	}
	return nil
}

func (i *importing) save(ctx context.Context, it item) error {
	query, err := prepare(ctx, i.tx, it.old, it.c)
	if err != nil {
		return err
	}
	if query != nil {
		return notValid(it.c, pando.FieldErrors{"viewQuery": query})
	}
	if err := save(ctx, i.tx, it.old, it.c, importFailed); err != nil {
		return i.failed(err)
	}
	return refreshViews(ctx, i.tx, it.c, importFailed)
}

const importFailed = "Failed to import collections."

// failed gives an error of the store the form of a failed import; what has data
// says more than any message.
func (i *importing) failed(err error) error {
	if e, ok := errors.AsType[*pando.Error](err); ok && e.Kind == pando.KindInvalid && e.Data == nil {
		return notImported(e.Message)
	}
	return err
}

// notImported is the error of an import that did not get as far as validation.
func notImported(why string) error {
	return importError("Failed to import the collections configuration. Raw error:\n" + why)
}

// notValid is the error of an import with a definition that does not hold.
func notValid(c *pando.Collection, errs pando.FieldErrors) error {
	if _, ok := errs["indexes"]; ok && len(errs) == 1 {
		return invalid(importFailed, errs)
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(messages(errs)); err != nil {
		return err
	}
	return importError(fmt.Sprintf("Data validations failed for collection %q (%s):\n%s", c.Name, c.ID, strings.TrimSpace(text.String())))
}

// messages is errs with nothing but the words. Those of the general checks are
// parts of a sentence here.
func messages(errs pando.FieldErrors) map[string]any {
	out := make(map[string]any, len(errs))
	for key, err := range errs {
		switch err := err.(type) {
		case *pando.FieldError:
			text := err.Message
			if general[err.Code] || strings.HasPrefix(err.Code, "validation_is_") {
				text = strings.ToLower(text[:1]) + strings.TrimSuffix(text[1:], ".")
			}
			if err.Code == "validation_invalid_rule" {
				text = strings.TrimSuffix(text, ".")
			}
			out[key] = text
		case pando.FieldErrors:
			out[key] = messages(err)
		}
	}
	return out
}

var general = map[string]bool{
	"validation_required": true, "validation_empty": true, "validation_nil": true, "validation_match_invalid": true,
	"validation_length_out_of_range": true, "validation_in_invalid": true, "validation_not_in_invalid": true,
	"validation_min_greater_equal_than_required": true, "validation_max_less_equal_than_required": true,
	"validation_nil_or_not_empty_required": true,
}

func importError(message string) error {
	if !strings.HasSuffix(message, ".") {
		message += "."
	}
	return invalid(importFailed, pando.FieldErrors{
		"collections": &pando.FieldError{Code: "validation_collections_import_failure", Message: message},
	})
}
