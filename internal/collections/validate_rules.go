package collections

import (
	"errors"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
	"github.com/pandobase/pando/internal/rule"
)

// rules checks the five rules of the records API.
func (v *validator) rules() {
	for _, r := range []struct {
		key   string
		rule  func(*pando.Collection) *string
		write bool
	}{
		{"listRule", func(c *pando.Collection) *string { return c.ListRule }, false},
		{"viewRule", func(c *pando.Collection) *string { return c.ViewRule }, false},
		{"createRule", func(c *pando.Collection) *string { return c.CreateRule }, true},
		{"updateRule", func(c *pando.Collection) *string { return c.UpdateRule }, true},
		{"deleteRule", func(c *pando.Collection) *string { return c.DeleteRule }, true},
	} {
		now := r.rule(v.c)
		if v.c.IsView() && r.write {
			if now != nil {
				v.errs[r.key] = &pando.FieldError{Code: "validation_nil", Message: "Must be blank."}
			}
			continue
		}
		v.systemRule(r.key, r.rule)
		field.Put(v.errs, r.key, v.compile(now))
	}
}

// systemRule refuses a change of a rule of a system collection.
func (v *validator) systemRule(key string, rule func(*pando.Collection) *string) {
	if v.old != nil && v.old.System && !same(rule(v.old), rule(v.c)) {
		field.Put(v.errs, key, &pando.FieldError{
			Code: "validation_collection_system_rule_change", Message: "System collection API rule cannot be changed.",
		})
	}
}

func same(a, b *string) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// compile checks the text of a rule against the definition that it will guard.
func (v *validator) compile(text *string) *pando.FieldError {
	if text == nil || *text == "" {
		return nil
	}
	_, err := rule.Compile(*text, v.scope())
	if err == nil {
		return nil
	}
	why := err.Error()
	var e *pando.Error
	if errors.As(err, &e) {
		if why = e.Message; e.Err != nil {
			why = e.Err.Error()
		}
	}
	return &pando.FieldError{
		Code: "validation_invalid_rule", Message: "Invalid rule. Raw error: " + strings.TrimSuffix(why, ".") + ".",
	}
}
