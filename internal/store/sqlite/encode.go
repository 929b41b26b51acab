package sqlite

import (
	"encoding/json"
	"fmt"
	"unsafe"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
)

// bindValue binds the value of field i of a record. A value of the wrong Go type
// is a fault of the caller.
func (p *plan) bindValue(q *stmt, param, i int, v any) error {
	ok := true
	switch p.forms[i] {
	case formText:
		var s string
		if s, ok = v.(string); ok {
			q.bindText(param, s)
		}
	case formNumber:
		var f float64
		if f, ok = v.(float64); ok {
			q.bindFloat(param, f)
		}
	case formBool:
		var b bool
		if b, ok = v.(bool); ok {
			q.bindBool(param, b)
		}
	case formList:
		var list []string
		if list, ok = v.([]string); ok {
			q.bindText(param, rule.ListText(list))
		}
	case formJSON:
		var raw json.RawMessage
		if raw, ok = v.(json.RawMessage); ok {
			bindJSON(q, param, raw)
		}
	case formPoint:
		var g pando.GeoPoint
		if g, ok = v.(pando.GeoPoint); ok {
			q.bindText(param, rule.PointText(g))
		}
	}
	if !ok {
		return fmt.Errorf("sqlite: %s.%s is a %s field and cannot hold a %T", p.c.Name, p.c.Fields[i].Name, p.c.Fields[i].Type, v)
	}
	return nil
}

// bindJSON binds a JSON value; null is SQL's NULL.
func bindJSON(q *stmt, param int, raw json.RawMessage) {
	if len(raw) == 0 || string(raw) == "null" {
		q.bindNull(param)
		return
	}
	q.bindText(param, unsafe.String(unsafe.SliceData(raw), len(raw)))
}
