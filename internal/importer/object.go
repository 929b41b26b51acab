package importer

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-faster/jx"
)

// maxDepth is how deep a value may be nested.
const maxDepth = 512

// objectRow decodes one object, keeping the order of its keys.
func objectRow(raw []byte) Row {
	if !utf8.Valid(raw) {
		return Row{Err: errors.New("is not UTF-8")}
	}
	d := jx.DecodeBytes(raw)
	if d.Next() != jx.Object {
		return Row{Err: errors.New("not a JSON object")}
	}
	row := Row{Values: map[string]any{}}
	at := ""
	err := d.Obj(func(d *jx.Decoder, key string) error {
		at = key
		if _, twice := row.Values[key]; twice {
			return repeated(key)
		}
		value, err := anyValue(d, 1)
		row.Keys = append(row.Keys, key)
		row.Values[key] = value
		return err
	})
	if e, ok := errors.AsType[repeated](err); ok {
		return Row{Err: e}
	}
	if err != nil && at != "" {
		return Row{Err: fmt.Errorf("not JSON at or after %q: %s", at, plain(err))}
	}
	if err != nil {
		return Row{Err: fmt.Errorf("not JSON: %s", plain(err))}
	}
	if !errors.Is(d.Skip(), io.EOF) {
		return Row{Err: errors.New("more than one object")}
	}
	return row
}

// plain leaves out what the decoder says of its own workings.
func plain(err error) string { return strings.ReplaceAll(err.Error(), "callback: ", "") }

// repeated is a key that one object has twice.
type repeated string

func (r repeated) Error() string { return fmt.Sprintf("has %q twice", string(r)) }

// anyValue decodes a value as encoding/json would.
func anyValue(d *jx.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("nested too deep")
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
		out := map[string]any{}
		err := d.Obj(func(d *jx.Decoder, key string) error {
			if _, twice := out[key]; twice {
				return repeated(key)
			}
			value, err := anyValue(d, depth+1)
			out[key] = value
			return err
		})
		return out, err
	case jx.Array:
		out := []any{}
		err := d.Arr(func(d *jx.Decoder) error {
			value, err := anyValue(d, depth+1)
			out = append(out, value)
			return err
		})
		return out, err
	}
	return nil, errors.New("unexpected character or end")
}
