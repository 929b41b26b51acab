package importer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pandobase/pando"
)

// ignored are keys of records as the web API shows them that are no fields.
var ignored = []string{"collectionId", "collectionName", "expand"}

// fit checks that every key of the file has a field in c.
func (r *run) fit(c *pando.Collection) error {
	if c.IsView() {
		return pando.Invalid("%s is a view: it shows other collections' records and takes none.", c.Name)
	}
	r.sum.Collection = c
	r.secrets = secretsOf(c)
	var missing []string
	for _, col := range r.columns {
		if c.Field(col.field) != nil {
			continue
		}
		// The name that a new field would get is made to differ from some that
		// an existing one may have.
		name, ok := fieldOf(c, col.key)
		if !ok {
			missing = append(missing, col.key)
		}
		col.field = name
	}
	if len(missing) > 0 {
		return pando.Invalid("%s has no field for %s of the file. Add the fields, or rename the keys of the file.", c.Name, strings.Join(missing, ", "))
	}
	for key, m := range r.match {
		f := c.Field(r.byKey[key].field)
		if f == nil {
			return pando.Invalid("--match %s: %s is no field.", key, key)
		}
		if o, ok := f.Options.(*pando.RelationOptions); !ok || o.CollectionID != m.target.ID {
			return pando.Invalid("--match %s: the field %s of %s is no relation to %s.", key, f.Name, c.Name, m.target.Name)
		}
	}
	return nil
}

// fieldOf is the field that a key of the file goes to; "" if it is there to be
// passed over.
func fieldOf(c *pando.Collection, key string) (name string, ok bool) {
	switch {
	case c.Field(key) != nil:
		return key, true
	case slices.Contains(ignored, key):
		return "", true
	case slices.ContainsFunc(secretsOf(c), func(s secret) bool { return s.hashKey == key }):
		return "", true // taken by the password's own way
	}
	return "", false
}

// fieldFor is the field of c that a key goes to, nil if none has to be set.
func (r *run) fieldFor(c *pando.Collection, key string) (*pando.Field, error) {
	var name string
	if col := r.byKey[key]; col != nil {
		name = col.field
	} else if found, ok := fieldOf(c, key); ok { // first seen after the sample
		name = found
	} else {
		return nil, rowError{fmt.Errorf("%s is no field of %s", key, c.Name)}
	}
	if name == "" {
		return nil, nil
	}
	f := c.Field(name)
	if f == nil {
		return nil, pando.Invalid("The field %s of %s was removed meanwhile.", name, c.Name)
	}
	return f, nil
}
