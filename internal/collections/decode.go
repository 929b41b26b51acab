package collections

import (
	"encoding/json"
	"strconv"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
)

// merge reads a JSON body into c. Keys that are missing keep their value; the
// lists of fields and indexes are replaced as a whole, by nothing if they are
// null.
func merge(c *pando.Collection, body json.RawMessage) error {
	if body == nil {
		return nil
	}
	created, updated := c.Created, c.Updated
	if err := c.UnmarshalJSON(body); err != nil {
		return err
	}
	if c.Created = field.ParseTime(c.Created); c.Created == "" {
		c.Created = created
	}
	c.Updated = updated

	var lists struct{ Fields, Indexes json.RawMessage }
	if err := json.Unmarshal(body, &lists); err != nil {
		return err
	}
	if lists.Indexes != nil && string(lists.Indexes) == "null" {
		c.Indexes = nil
	}
	if lists.Fields != nil {
		sent, err := decodeFields(lists.Fields)
		if err != nil {
			return err
		}
		c.Fields = nil
		for _, f := range sent {
			putField(c, f)
		}
	}
	return nil
}

func decodeFields(data json.RawMessage) ([]*pando.Field, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil {
		return nil, err
	}
	fields := make([]*pando.Field, len(items))
	for i, item := range items {
		fields[i] = new(pando.Field)
		if err := json.Unmarshal(item, fields[i]); err != nil {
			return nil, err
		}
		// null decodes into nothing, without an error.
		if fields[i].Options == nil {
			return nil, errNoField
		}
		field.Normalize(fields[i])
	}
	return fields, nil
}

var errNoField = pando.Invalid("A field must be an object with a type.")

// putField adds f to c, in place of the field of the same id if there is one. A
// field without an id takes that of the field of the same name, else the id that
// follows from its type and name.
func putField(c *pando.Collection, f *pando.Field) {
	if f.ID == "" {
		if same := c.Field(f.Name); same != nil {
			f.ID = same.ID
		} else {
			f.ID = freeID(c, fieldID(f.Type, f.Name))
		}
	}
	for i, old := range c.Fields {
		if old.ID == f.ID {
			c.Fields[i] = f
			return
		}
	}
	c.Fields = append(c.Fields, f)
}

// freeID is id, with a number behind it if a field that was renamed still has it.
func freeID(c *pando.Collection, id string) string {
	free := id
	for n := 2; c.FieldByID(free) != nil; n++ {
		free = id + strconv.Itoa(n)
	}
	return free
}
