package collections

import (
	"regexp"
	"slices"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
)

// validator judges one complete definition. It changes nothing and reads nothing
// but what is in it.
type validator struct {
	catalog *store.Catalog
	old     *pando.Collection // as stored; nil if c is new
	c       *pando.Collection
	query   *pando.FieldError // what is wrong with a view's query
	saved   bool              // catalog has c already
	errs    pando.FieldErrors
}

// validate says everything that is wrong with c, by key; nothing if it may be
// saved. query is what viewFields found wrong.
func validate(catalog *store.Catalog, old, c *pando.Collection, query *pando.FieldError) pando.FieldErrors {
	v := &validator{catalog: catalog, old: old, c: c, query: query, errs: pando.FieldErrors{}}
	v.structure()
	v.meaning()
	v.foreseeIndexes()
	return v.errs
}

// structure checks what becomes of c in the database.
func (v *validator) structure() {
	v.id()
	v.name()
	v.kind()
	v.view()
	v.fields()
	v.indexes()
}

// meaning checks what can only be understood next to the other collections.
func (v *validator) meaning() {
	v.rules()
	if v.c.Auth != nil {
		v.auth()
	}
}

var wordPattern = regexp.MustCompile(`^\w+$`)

func (v *validator) id() {
	id := v.c.ID
	if v.old != nil {
		return // it is the one that was asked for
	}
	switch {
	case field.Length(id, 1, 100) != nil:
		v.errs["id"] = field.Length(id, 1, 100)
	case !wordPattern.MatchString(id):
		v.errs["id"] = field.InvalidFormat()
	case !v.saved && v.catalog.Collection(id) != nil: // also of that name: a reference must mean one thing
		v.errs["id"] = &pando.FieldError{Code: "validation_invalid_or_existing_id", Message: "The model id is invalid or already exists."}
	}
}

func (v *validator) name() {
	name := v.c.Name
	var err *pando.FieldError
	switch {
	case name == "":
		err = field.Blank()
	case field.Length(name, 1, 255) != nil:
		err = field.Length(name, 1, 255)
	case !wordPattern.MatchString(name):
		err = field.InvalidFormat()
	case strings.Contains(strings.ToLower(name), "_via_"):
		err = via()
	case v.old != nil && v.old.System && v.old.Name != name:
		err = &pando.FieldError{Code: "validation_collection_system_name_change", Message: "System collection name cannot be changed."}
	default:
		err = v.nameTaken(name)
	}
	field.Put(v.errs, "name", err)
}

func via() *pando.FieldError {
	return &pando.FieldError{Code: "validation_found_via", Message: "The value cannot contain \"_via_\"."}
}

// nameTaken looks for others that a name could be mistaken for.
func (v *validator) nameTaken(name string) *pando.FieldError {
	for _, other := range v.catalog.Collections {
		switch {
		case other.ID == v.c.ID:
		case strings.EqualFold(other.Name, name):
			return &pando.FieldError{
				Code: "validation_collection_name_exists", Message: "Collection name must be unique (case insensitive).",
			}
		case other.ID == name:
			return &pando.FieldError{
				Code: "validation_collection_name_id_duplicate", Message: "The name must not match an existing collection id.",
			}
		}
	}
	if internalTable(name) {
		return &pando.FieldError{
			Code: "validation_collection_name_invalid", Message: "The name shouldn't match with an existing internal table.",
		}
	}
	return nil
}

// internalTable tells whether a database keeps a table of that name for itself,
// or one that data is exchanged with does.
func internalTable(name string) bool {
	name = strings.ToLower(name)
	for _, prefix := range []string{"sqlite_", "pg_", "_pando_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	switch name {
	case "_collections", "_params", "_migrations", "_logs":
		return true
	}
	return false
}

// kind checks the type and the system flag, which never change.
func (v *validator) kind() {
	switch v.c.Type {
	case pando.TypeBase, pando.TypeAuth, pando.TypeView:
	default:
		v.errs["type"] = field.NotInList()
	}
	if v.old == nil {
		return
	}
	if v.c.Type != v.old.Type {
		field.Put(v.errs, "type", &pando.FieldError{
			Code: "validation_collection_type_change", Message: "Collection type cannot be changed.",
		})
	}
	if v.c.System != v.old.System {
		v.errs["system"] = &pando.FieldError{
			Code: "validation_collection_system_flag_change", Message: "System collection state cannot be changed.",
		}
	}
}

func (v *validator) view() {
	if !v.c.IsView() {
		return
	}
	switch {
	case v.c.ViewQuery == "":
		v.errs["viewQuery"] = field.Blank()
	case v.query != nil:
		v.errs["viewQuery"] = v.query
	}
}

// scope is what the rules of c are checked in: the catalog as it will be.
func (v *validator) scope() rule.Scope {
	return rule.Scope{Schema: overlay{v.catalog, v.c}, Collection: v.c}
}

// overlay is a catalog with one collection as it will be.
type overlay struct {
	catalog *store.Catalog
	c       *pando.Collection
}

// Collection implements [rule.Schema].
func (o overlay) Collection(ref string) *pando.Collection {
	if found := o.catalog.Collection(ref); found != nil && found.ID != o.c.ID {
		return found
	}
	if o.c.Is(ref) {
		return o.c
	}
	return nil
}

// All implements [rule.Schema].
func (o overlay) All() []*pando.Collection {
	all := slices.Clone(o.catalog.Collections)
	if i := slices.IndexFunc(all, func(c *pando.Collection) bool { return c.ID == o.c.ID }); i >= 0 {
		all[i] = o.c
		return all
	}
	return append(all, o.c)
}
