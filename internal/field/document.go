package field

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/pandobase/pando"
)

// DefaultJSONSize is the largest value, in bytes, of a json field that sets no
// limit.
const DefaultJSONSize = 1 << 20

// document is a json field.
type document struct{}

func (document) cast(_ *pando.Field, raw any) any {
	switch v := raw.(type) {
	case nil:
		return json.RawMessage("null")
	case json.RawMessage:
		return canonical(v)
	case string:
		if looksJSON(v) {
			return canonical([]byte(v))
		}
	}
	data, err := json.Marshal(raw)
	if err != nil {
		return json.RawMessage("null")
	}
	return json.RawMessage(data)
}

// looksJSON tells whether a submitted text is meant as a JSON value, as forms
// have to send it, rather than as a text.
func looksJSON(s string) bool {
	switch {
	case s == "":
		return false
	case s == "null" || s == "true" || s == "false":
		return true
	case s[0] >= '0' && s[0] <= '9', bytes.IndexByte([]byte(`-"[{`), s[0]) >= 0:
		return json.Valid([]byte(s))
	}
	return false
}

// canonical leaves space out and escapes what must not stand in HTML, so that
// the value can be sent as it is.
func canonical(data []byte) json.RawMessage {
	if len(data) == 0 {
		return json.RawMessage("null")
	}
	var compact, out bytes.Buffer
	if json.Compact(&compact, data) != nil {
		return json.RawMessage(data) // for check to refuse
	}
	json.HTMLEscape(&out, compact.Bytes())
	return out.Bytes()
}

func (document) check(f *pando.Field, v any) *pando.FieldError {
	data, limit := v.(json.RawMessage), f.Options.(*pando.JSONOptions).MaxSize
	if limit == 0 {
		limit = DefaultJSONSize
	}
	switch {
	case !json.Valid(data) || beyondRange(string(data)):
		return &pando.FieldError{Code: "validation_invalid_json", Message: "Must be a valid json value."}
	case int64(len(data)) > limit && string(data) != "null":
		return &pando.FieldError{
			Code:    "validation_json_size_limit",
			Message: fmt.Sprintf("The maximum allowed JSON size is %d bytes.", limit),
			Params:  map[string]any{"maxSize": limit},
		}
	case emptyJSON(v):
		return required(f)
	}
	return nil
}

// beyondRange tells whether a JSON value is a number that no database column can
// keep: it would be another one when it is read again.
func beyondRange(s string) bool {
	if s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return false
	}
	_, err := strconv.ParseFloat(s, 64)
	return err != nil
}

func emptyJSON(v any) bool {
	data, _ := v.(json.RawMessage)
	switch string(data) {
	case "", "null", `""`, "[]", "{}":
		return true
	}
	return false
}

func (document) options(f, _ *pando.Field, errs pando.FieldErrors) {
	size(errs, "maxSize", f.Options.(*pando.JSONOptions).MaxSize)
}
