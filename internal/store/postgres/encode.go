package postgres

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
)

// textBytes is s as bytes that must not be changed; never nil, which is NULL.
func textBytes(s string) []byte {
	if s == "" {
		return []byte{}
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// value is field i's value as it is sent; nil is NULL. A value of the wrong Go
// type is a fault of the caller.
func (p *plan) value(i int, v any) ([]byte, error) {
	ok := true
	switch p.forms[i] {
	case formText:
		var s string
		if s, ok = v.(string); ok {
			return p.text(i, s)
		}
	case formNumber:
		var f float64
		if f, ok = v.(float64); ok {
			return binary.BigEndian.AppendUint64(make([]byte, 0, 8), math.Float64bits(f)), nil
		}
	case formBool:
		var b bool
		if b, ok = v.(bool); ok && b {
			return []byte{1}, nil
		} else if ok {
			return []byte{0}, nil
		}
	case formDate:
		var s string
		if s, ok = v.(string); ok {
			return p.date(i, s)
		}
	case formList:
		var list []string
		if list, ok = v.([]string); ok {
			for _, s := range list {
				if _, err := p.text(i, s); err != nil {
					return nil, err
				}
			}
			return arrayBytes(list), nil
		}
	case formJSON:
		var raw json.RawMessage
		if raw, ok = v.(json.RawMessage); ok {
			if len(raw) == 0 || string(raw) == "null" {
				return nil, nil
			}
			return raw, nil
		}
	case formPoint:
		var g pando.GeoPoint
		if g, ok = v.(pando.GeoPoint); ok {
			return []byte(rule.PointText(g)), nil
		}
	}
	return nil, fmt.Errorf("postgres: %s.%s is a %s field and cannot hold a %T", p.c.Name, p.c.Fields[i].Name, p.c.Fields[i].Type, v)
}

// text refuses the one character that PostgreSQL's texts cannot hold.
func (p *plan) text(i int, s string) ([]byte, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return nil, pando.Invalid("The field %s holds a NUL character, which PostgreSQL cannot store.", p.c.Fields[i].Name)
	}
	return textBytes(s), nil
}

// year2000 is where PostgreSQL's time begins, in microseconds since 1970.
const year2000 = 946684800_000_000

func (p *plan) date(i int, s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	t, err := time.Parse(pando.TimeLayout, s)
	if err != nil {
		return nil, pando.Invalid("The field %s holds %q, which is no date of the form %s.", p.c.Fields[i].Name, s, pando.TimeLayout)
	}
	return binary.BigEndian.AppendUint64(make([]byte, 0, 8), uint64(t.UnixMicro()-year2000)), nil
}

const textOID = 25

// arrayBytes is a list as a text[] in binary form.
func arrayBytes(list []string) []byte {
	size := 20
	for _, s := range list {
		size += 4 + len(s)
	}
	b := make([]byte, 0, size)
	put := func(n int) { b = binary.BigEndian.AppendUint32(b, uint32(n)) }
	if len(list) == 0 {
		put(0)
		put(0)
		put(textOID)
		return b
	}
	put(1) // dimensions
	put(0) // no NULL among them
	put(textOID)
	put(len(list))
	put(1) // the first one's number
	for _, s := range list {
		put(len(s))
		b = append(b, s...)
	}
	return b
}

// unlikely stands for NUL in what is searched for: no text holds one, so none
// may be found that does.
const unlikely = "\U0010FFFF"

// argument is a value of a generated statement, as text.
func argument(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		if strings.IndexByte(v, 0) >= 0 {
			v = strings.ReplaceAll(v, "\x00", unlikely)
		}
		if !validText(v) {
			v = strings.ToValidUTF8(v, "\uFFFD")
		}
		return textBytes(v), nil
	case int64:
		return strconv.AppendInt(nil, v, 10), nil
	case float64:
		return strconv.AppendFloat(nil, v, 'g', -1, 64), nil
	case bool:
		if v {
			return []byte{'t'}, nil
		}
		return []byte{'f'}, nil
	case []string:
		return arrayText(v), nil
	case []byte:
		return v, nil
	}
	return nil, fmt.Errorf("postgres: a statement has a %T among its values", v)
}

func arguments(values []any) ([][]byte, error) {
	if len(values) == 0 {
		return nil, nil
	}
	list := make([][]byte, len(values))
	for i, v := range values {
		var err error
		if list[i], err = argument(v); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// arrayText is a list as an array literal.
func arrayText(list []string) []byte {
	b := []byte{'{'}
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		for k := range len(s) {
			if s[k] == '"' || s[k] == '\\' {
				b = append(b, '\\')
			}
			if s[k] == 0 {
				b = append(b, unlikely...)
				continue
			}
			b = append(b, s[k])
		}
		b = append(b, '"')
	}
	return append(b, '}')
}
