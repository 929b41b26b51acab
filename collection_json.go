package pando

import (
	"encoding/json"
	"fmt"
)

// collectionBase is the part of a collection's JSON that all types share, in
// the order in which it is sent.
type collectionBase struct {
	ID         string         `json:"id"`
	ListRule   *string        `json:"listRule"`
	ViewRule   *string        `json:"viewRule"`
	CreateRule *string        `json:"createRule"`
	UpdateRule *string        `json:"updateRule"`
	DeleteRule *string        `json:"deleteRule"`
	Name       string         `json:"name"`
	Type       CollectionType `json:"type"`
	Fields     []*Field       `json:"fields"`
	Indexes    []string       `json:"indexes"`
	Created    string         `json:"created"`
	Updated    string         `json:"updated"`
	System     bool           `json:"system"`
}

func (c *Collection) base() collectionBase {
	return collectionBase{
		c.ID, c.ListRule, c.ViewRule, c.CreateRule, c.UpdateRule, c.DeleteRule,
		c.Name, c.Type, c.Fields, c.Indexes, c.Created, c.Updated, c.System,
	}
}

// MarshalJSON is the collection as clients see it: without secrets.
func (c *Collection) MarshalJSON() ([]byte, error) {
	var auth *AuthOptions
	if c.Auth != nil {
		auth = c.Auth.WithoutSecrets()
	}
	return c.marshal(auth)
}

// MarshalSecret is the collection with its secrets, for the database and for
// backups; [Collection.UnmarshalJSON] reads it back.
func (c *Collection) MarshalSecret() ([]byte, error) { return c.marshal(c.Auth) }

func (c *Collection) marshal(auth *AuthOptions) ([]byte, error) {
	var out struct {
		collectionBase
		ViewQuery *string `json:"viewQuery,omitempty"`
		*AuthOptions
	}
	out.collectionBase = c.base()
	if out.Fields == nil {
		out.Fields = []*Field{}
	}
	if out.Indexes == nil {
		out.Indexes = []string{}
	}
	switch c.Type {
	case TypeView:
		out.ViewQuery = &c.ViewQuery
	case TypeAuth:
		out.AuthOptions = auth
	}
	return json.Marshal(out)
}

// UnmarshalJSON merges data into c: keys that are missing keep their value;
// fields and indexes are replaced as a whole. It checks shapes only; whether
// the result makes sense is for the collections service to say.
func (c *Collection) UnmarshalJSON(data []byte) error {
	base := c.base()
	base.Fields, base.Indexes = nil, nil
	if err := json.Unmarshal(data, &base); err != nil {
		return err
	}
	c.ID, c.Name, c.Type, c.System = base.ID, base.Name, base.Type, base.System
	c.ListRule, c.ViewRule, c.CreateRule = base.ListRule, base.ViewRule, base.CreateRule
	c.UpdateRule, c.DeleteRule = base.UpdateRule, base.DeleteRule
	c.Created, c.Updated = base.Created, base.Updated
	if base.Fields != nil {
		c.Fields = base.Fields
	}
	if base.Indexes != nil {
		c.Indexes = base.Indexes
	}
	switch c.Type {
	case TypeView:
		var v struct {
			ViewQuery *string `json:"viewQuery"`
		}
		if err := json.Unmarshal(data, &v); err != nil {
			return err
		}
		if v.ViewQuery != nil {
			c.ViewQuery = *v.ViewQuery
		}
	case TypeAuth:
		if c.Auth == nil {
			c.Auth = new(AuthOptions)
		}
		return c.Auth.merge(data)
	}
	return nil
}

// MarshalJSON is the field with the options of its type at the same level, keys
// sorted.
func (f *Field) MarshalJSON() ([]byte, error) {
	keys := map[string]any{
		"id": f.ID, "name": f.Name, "type": f.Type, "system": f.System,
		"hidden": f.Hidden, "presentable": f.Presentable,
	}
	if f.Type != FieldAutodate {
		keys["required"] = f.Required
	}
	if f.Help != "" {
		keys["help"] = f.Help
	}
	if err := mergeKeys(keys, f.Options); err != nil {
		return nil, err
	}
	return json.Marshal(keys)
}

// UnmarshalJSON replaces f by data; what data leaves out is zero.
func (f *Field) UnmarshalJSON(data []byte) error {
	var base struct {
		ID          string    `json:"id"`
		Name        string    `json:"name"`
		Type        FieldType `json:"type"`
		System      bool      `json:"system"`
		Hidden      bool      `json:"hidden"`
		Presentable bool      `json:"presentable"`
		Required    bool      `json:"required"`
		Help        string    `json:"help"`
	}
	if err := json.Unmarshal(data, &base); err != nil {
		return err
	}
	options := NewOptions(base.Type)
	if options == nil {
		return fmt.Errorf("unknown field type %q", base.Type)
	}
	if err := json.Unmarshal(data, options); err != nil {
		return err
	}
	*f = Field{base.ID, base.Name, base.Type, base.System, base.Hidden, base.Presentable, base.Required, base.Help, options}
	return nil
}

// mergeKeys adds the top-level JSON keys of v to keys.
func mergeKeys(keys map[string]any, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var own map[string]json.RawMessage
	if err := json.Unmarshal(data, &own); err != nil {
		return err
	}
	for k, raw := range own {
		keys[k] = raw
	}
	return nil
}
