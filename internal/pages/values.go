package pages

import (
	"cmp"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/pandobase/pando"
)

// number is a number of a record. It differs from float64 only in how it is
// printed: 1000000 and not 1e+06.
type number float64

func (n number) String() string { return strconv.FormatFloat(float64(n), 'f', -1, 64) }

// MarshalJSON is how html/template writes it into scripts.
func (n number) MarshalJSON() ([]byte, error) { return []byte(n.String()), nil }

// withNumbers makes numbers of the float64s in decoded JSON.
func withNumbers(v any) any {
	switch v := v.(type) {
	case float64:
		return number(v)
	case map[string]any:
		for k, item := range v {
			v[k] = withNumbers(item)
		}
	case []any:
		for i, item := range v {
			v[i] = withNumbers(item)
		}
	}
	return v
}

// float is v as a number, if it is one of any kind.
func float(v any) (float64, bool) {
	switch r := reflect.ValueOf(v); {
	case r.CanInt():
		return float64(r.Int()), true
	case r.CanUint():
		return float64(r.Uint()), true
	case r.CanFloat():
		return r.Float(), true
	}
	return 0, false
}

// equal tells whether a is one of others.
func equal(a any, others ...any) (bool, error) {
	if len(others) == 0 {
		return false, fmt.Errorf("eq needs something to compare with")
	}
	for _, b := range others {
		x, isNumber := float(a)
		y, too := float(b)
		switch {
		case isNumber && too:
			if x == y {
				return true, nil
			}
		case a != nil && !reflect.TypeOf(a).Comparable() || b != nil && !reflect.TypeOf(b).Comparable():
			return false, fmt.Errorf("cannot compare %T with %T", a, b)
		case a == b:
			return true, nil
		}
	}
	return false, nil
}

func unequal(a, b any) (bool, error) { is, err := equal(a, b); return !is, err }
func less(a, b any) (bool, error)    { c, err := compare(a, b); return c < 0, err }
func atMost(a, b any) (bool, error)  { c, err := compare(a, b); return c <= 0, err }
func greater(a, b any) (bool, error) { c, err := compare(a, b); return c > 0, err }
func atLeast(a, b any) (bool, error) { c, err := compare(a, b); return c >= 0, err }

// compare orders two numbers or two texts.
func compare(a, b any) (int, error) {
	if x, ok := float(a); ok {
		if y, ok := float(b); ok {
			return cmp.Compare(x, y), nil
		}
	}
	x, isText := a.(string)
	y, too := b.(string)
	if !isText || !too {
		return 0, fmt.Errorf("cannot order %T and %T", a, b)
	}
	return strings.Compare(x, y), nil
}

func printf(format string, args ...any) (string, error) {
	return bounded(func(args ...any) string { return fmt.Sprintf(format, args...) })(args...)
}

// formatDate writes a stored date in one of Go's layouts.
func formatDate(layout string, v any) string {
	t, err := time.Parse(pando.TimeLayout, str(v))
	if err != nil {
		return str(v)
	}
	return t.Format(layout)
}

// formatNumber writes a number with commas between groups of three digits.
func formatNumber(v any) string {
	f, ok := float(v)
	if !ok {
		return str(v)
	}
	text := number(f).String()
	whole, fraction, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		return whole + "." + fraction
	}
	return whole
}

func str(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return number(v).String()
	}
	return fmt.Sprint(v)
}

// whole is v as an integer, 0 if it is none.
func whole(v any) int {
	if f, ok := float(v); ok {
		return int(f)
	}
	n, _ := strconv.Atoi(str(v))
	return n
}
