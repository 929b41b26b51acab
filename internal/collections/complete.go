package collections

import (
	"slices"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
	"github.com/pandobase/pando/internal/indexdef"
)

// complete fills in what users may leave out of a definition that is no view:
// see viewFields for those. old is the stored definition, nil if c is new.
func complete(c, old *pando.Collection) {
	completeFields(c, old)
	if c.Auth != nil {
		completeAuth(c)
		completeIndexes(c, c.ID)
	}
}

// completeFields brings the system fields of c's type into shape: they are there,
// and what makes them system fields cannot be switched off. One that was left
// out comes back as it was, and at the end, the id at the beginning.
func completeFields(c, old *pando.Collection) {
	if c.Type == pando.TypeView {
		return
	}
	completeID(c, old)
	if c.Type != pando.TypeAuth {
		return
	}
	for _, f := range authFields() {
		if have := c.Field(f.Name); have != nil && have.Type == f.Type {
			have.System = true
			switch f.Name {
			case "password", "tokenKey":
				have.Hidden, have.Required = true, true
			case "email":
				have.Hidden = false // emailVisibility says who sees it
			}
			continue
		}
		if old != nil {
			if was := old.Field(f.Name); was != nil && was.Type == f.Type && c.Field(f.Name) == nil {
				f = was.Clone()
			}
		}
		putField(c, f)
	}
}

func completeID(c, old *pando.Collection) {
	f := c.Field("id")
	if f == nil || f.Type != pando.FieldText {
		f = idField()
		if old != nil {
			if was := old.Field("id"); was != nil {
				f = was.Clone()
			}
		}
		if c.FieldByID(f.ID) != nil {
			return // validation will miss the primary key
		}
		c.Fields = append([]*pando.Field{f}, c.Fields...)
	}
	f.System, f.Required, f.Hidden = true, true, false
	o := f.Options.(*pando.TextOptions)
	o.PrimaryKey = true
	if o.Pattern == "" {
		o.Pattern = idPattern
	}
}

const idPattern = "^[a-z0-9]+$"

func idField() *pando.Field {
	return &pando.Field{
		ID: fieldID(pando.FieldText, "id"), Name: "id", Type: pando.FieldText, System: true, Required: true,
		Options: &pando.TextOptions{Min: pando.IDLength, Max: pando.IDLength, Pattern: idPattern, AutogeneratePattern: field.IDPattern, PrimaryKey: true},
	}
}

// authFields is the system fields of an auth collection beside the id, in their
// order, without ids.
func authFields() []*pando.Field {
	return []*pando.Field{
		{Name: "password", Type: pando.FieldPassword, System: true, Hidden: true, Required: true, Options: &pando.PasswordOptions{Min: 8}},
		{
			Name: "tokenKey", Type: pando.FieldText, System: true, Hidden: true, Required: true,
			Options: &pando.TextOptions{Min: 30, Max: 60, AutogeneratePattern: "[a-zA-Z0-9]{50}"},
		},
		{Name: "email", Type: pando.FieldEmail, System: true, Required: true, Options: &pando.EmailOptions{}},
		{Name: "emailVisibility", Type: pando.FieldBool, System: true, Options: &pando.BoolOptions{}},
		{Name: "verified", Type: pando.FieldBool, System: true, Options: &pando.BoolOptions{}},
	}
}

// completeIndexes adds the unique indexes that logging in stands on, unless there
// are others for the same fields. Names of indexes are unique in the database;
// suffix makes them so.
func completeIndexes(c *pando.Collection, suffix string) {
	var defs []*indexdef.Def
	for _, text := range c.Indexes {
		if d, err := indexdef.Parse(text); err == nil {
			defs = append(defs, d)
		}
	}
	for _, want := range []struct{ column, where string }{{"tokenKey", ""}, {"email", "`email` != ''"}} {
		if slices.ContainsFunc(defs, func(d *indexdef.Def) bool { return d.UniqueOn(want.column) }) {
			continue
		}
		d := indexdef.Def{
			Unique: true, Name: "idx_" + want.column + "_" + suffix, Table: c.Name,
			Columns: []indexdef.Column{{Name: want.column}}, Where: want.where,
		}
		c.Indexes = append(c.Indexes, d.String())
	}
}

// completeAuth takes out of the options what cannot be: fields that are not
// there, and ways for superusers to log in that would weaken them.
func completeAuth(c *pando.Collection) {
	m := &c.Auth.OAuth2.MappedFields
	for _, name := range []*string{&m.ID, &m.Name, &m.Username, &m.AvatarURL} {
		if c.Field(*name) == nil {
			*name = ""
		}
	}
	if c.IsSuperusers() {
		c.Auth.PasswordAuth.Enabled = true
		c.Auth.OAuth2.Enabled = false
		if c.Auth.OTP.Enabled { // a mailbox alone must not open everything
			c.Auth.MFA.Enabled = true
		}
	}
}
