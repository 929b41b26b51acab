package web

import (
	"encoding/json"
	"errors"

	"github.com/go-faster/jx"

	"github.com/pandobase/pando"
)

// maxDepth is how deep a submitted JSON value may be nested.
const maxDepth = 512

var errTooDeep = errors.New("nested too deep")

// decodeObject decodes the first JSON value of a body, which must be an object
// or null. Numbers become float64. What follows that value is ignored. A key
// given twice is refused: which of the two a rule saw would be a matter of luck.
func decodeObject(raw []byte) (map[string]any, error) {
	if err := checkUTF8(raw); err != nil {
		return nil, err
	}
	d := jx.DecodeBytes(raw)
	switch d.Next() {
	case jx.Null:
		return map[string]any{}, d.Null()
	case jx.Object:
		return decodeMap(d, 1)
	}
	return nil, errors.New("not a JSON object")
}

func decodeMap(d *jx.Decoder, depth int) (map[string]any, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	out := make(map[string]any)
	err := d.Obj(func(d *jx.Decoder, key string) error {
		if _, twice := out[key]; twice {
			return duplicate(key)
		}
		v, err := decodeValue(d, depth+1)
		out[key] = v
		return err
	})
	return out, err
}

func decodeValue(d *jx.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	switch d.Next() {
	case jx.String:
		return d.Str()
	case jx.Number:
		return d.Float64()
	case jx.Bool:
		return d.Bool()
	case jx.Null:
		return nil, d.Null()
	case jx.Object:
		return decodeMap(d, depth)
	case jx.Array:
		out := []any{}
		err := d.Arr(func(d *jx.Decoder) error {
			v, err := decodeValue(d, depth+1)
			out = append(out, v)
			return err
		})
		return out, err
	}
	return nil, errors.New("not JSON")
}

func duplicate(key string) error {
	return pando.Invalid("The key %q is given twice in one object.", key)
}

// firstObject is the first JSON value of a body, which must be an object or
// null (then it is {}), checked as decodeObject checks it.
func firstObject(raw []byte) ([]byte, error) {
	if err := checkUTF8(raw); err != nil {
		return nil, err
	}
	d := jx.DecodeBytes(raw)
	switch d.Next() {
	case jx.Null:
		return []byte("{}"), d.Null()
	case jx.Object:
	default:
		return nil, errors.New("not a JSON object")
	}
	value, err := d.Raw()
	if err != nil {
		return nil, err
	}
	if err := checkKeys(jx.DecodeBytes(value), 1); err != nil {
		return nil, err
	}
	if !json.Valid(value) { // the services decode with encoding/json
		return nil, errors.New("not JSON")
	}
	return value, nil
}

// checkKeys refuses duplicate keys at any level, and depth.
func checkKeys(d *jx.Decoder, depth int) error {
	if depth > maxDepth {
		return errTooDeep
	}
	switch d.Next() {
	case jx.Object:
		seen := make(map[string]struct{})
		return d.Obj(func(d *jx.Decoder, key string) error {
			if _, twice := seen[key]; twice {
				return duplicate(key)
			}
			seen[key] = struct{}{}
			return checkKeys(d, depth+1)
		})
	case jx.Array:
		return d.Arr(func(d *jx.Decoder) error { return checkKeys(d, depth+1) })
	}
	return d.Skip()
}

// decodeForm decodes a typed form; keys of JSON match in any case. Rules see the
// body as @request.body.
func (c *call) decodeForm(into any) error {
	raw, err := c.object(messageLoad) // refuses what is no form
	if err != nil {
		return err
	}
	if body, err := decodeObject(raw); err == nil {
		c.req.Body = body
	}
	if c.parsed != nil {
		return bodyErrorOrNil(messageLoad, c.parsed.fill(into))
	}
	return bodyErrorOrNil(messageLoad, json.Unmarshal(raw, into))
}
