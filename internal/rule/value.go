package rule

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Value is one value as the rule language compares it: nothing, a whole number,
// a real number or a text. Bools are 1 and 0, lists and objects are JSON texts.
//
// The language has SQLite's loose typing, because the rules that people bring
// along were written against it. Every database has to give the same answers,
// so the typing is spelled out here and nowhere else.
type Value struct {
	kind valueKind
	n    int64
	f    float64
	s    string
}

type valueKind uint8

const (
	kindNull valueKind = iota
	kindInt
	kindReal
	kindText
)

// Null is the value of what is not there.
var Null = Value{}

// Text is a text value.
func Text(s string) Value { return Value{kind: kindText, s: s} }

// Real is a number that prints with a decimal point (123.0), as number literals
// and numbers of the request do.
func Real(f float64) Value {
	if math.IsNaN(f) {
		return Null
	}
	return Value{kind: kindReal, f: f}
}

// Int is a whole number.
func Int(n int64) Value { return Value{kind: kindInt, n: n} }

// Bool is 1 or 0.
func Bool(b bool) Value {
	if b {
		return Int(1)
	}
	return Int(0)
}

// Number is f as a number column holds it: whole if it is.
func Number(f float64) Value {
	if n := int64(f); float64(n) == f && n > math.MinInt64 && n < math.MaxInt64 {
		return Int(n)
	}
	return Real(f)
}

// IsNull tells whether v is nothing.
func (v Value) IsNull() bool { return v.kind == kindNull }

// IsText tells whether v is a text.
func (v Value) IsText() bool { return v.kind == kindText }

// IsNumber tells whether v is a number.
func (v Value) IsNumber() bool { return v.kind == kindInt || v.kind == kindReal }

// IsEmpty tells whether v is the text "".
func (v Value) IsEmpty() bool { return v.kind == kindText && v.s == "" }

// empty tells whether v is null or "", which count as equal.
func (v Value) empty() bool { return v.kind == kindNull || v.kind == kindText && v.s == "" }

// Any is v as database/sql binds it: nil, int64, float64 or string.
func (v Value) Any() any {
	switch v.kind {
	case kindInt:
		return v.n
	case kindReal:
		return v.f
	case kindText:
		return v.s
	}
	return nil
}

// String is v as a text: "" for null.
func (v Value) String() string {
	switch v.kind {
	case kindInt:
		return strconv.FormatInt(v.n, 10)
	case kindReal:
		return formatReal(v.f)
	}
	return v.s
}

// Affinity is what a column, or an expression that is just a column, does to
// the other side of a comparison.
type Affinity uint8

const (
	AffinityNone    Affinity = iota // literals, request values, results of functions
	AffinityText                    // text columns: numbers on the other side become texts
	AffinityNumeric                 // number, bool and JSON columns: texts that look like numbers become numbers
)

// convert applies the affinities of both sides of an ordered comparison.
func convert(a Value, aff Affinity, b Value, bff Affinity) (Value, Value) {
	switch {
	case aff == AffinityNumeric && bff != AffinityNumeric:
		b = b.Numeric()
	case bff == AffinityNumeric && aff != AffinityNumeric:
		a = a.Numeric()
	case aff == AffinityText && bff == AffinityNone:
		b = b.text()
	case bff == AffinityText && aff == AffinityNone:
		a = a.text()
	}
	return a, b
}

func (v Value) text() Value {
	if v.IsNumber() {
		return Text(v.String())
	}
	return v
}

// Numeric turns a text that looks like a number into it.
func (v Value) Numeric() Value {
	if v.kind != kindText || v.s == "" {
		return v
	}
	s := strings.Trim(v.s, " \t\n\v\f\r")
	if !isNumber(s) {
		return v
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return Int(n)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return v
	}
	return Number(f)
}

// isNumber tells whether s is a decimal number: sign, digits, point, exponent.
func isNumber(s string) bool {
	i, digits := 0, 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	for ; i < len(s) && isDigit(s[i]); i++ {
		digits++
	}
	if i < len(s) && s[i] == '.' {
		for i++; i < len(s) && isDigit(s[i]); i++ {
			digits++
		}
	}
	if digits == 0 {
		return false
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '-' || s[i] == '+') {
			i++
		}
		from := i
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		if i == from {
			return false
		}
	}
	return i == len(s)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// compare orders two values that are not null: numbers stand before texts,
// texts compare byte by byte.
func compare(a, b Value) int {
	switch {
	case a.kind == kindText && b.kind == kindText:
		return strings.Compare(a.s, b.s)
	case a.kind == kindText:
		return 1
	case b.kind == kindText:
		return -1
	case a.kind == kindInt && b.kind == kindInt:
		return cmpOrdered(a.n, b.n)
	case a.kind == kindReal && b.kind == kindReal:
		return cmpOrdered(a.f, b.f)
	case a.kind == kindInt:
		return compareIntReal(a.n, b.f)
	}
	return -compareIntReal(b.n, a.f)
}

func cmpOrdered[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// compareIntReal compares without losing the low digits of a large whole number.
func compareIntReal(n int64, f float64) int {
	if f < -9223372036854775808.0 {
		return 1
	}
	if f >= 9223372036854775808.0 {
		return -1
	}
	whole := int64(f)
	if n != whole {
		return cmpOrdered(n, whole)
	}
	return cmpOrdered(float64(n), f)
}

// realDigits is how many significant digits a real number has as a text.
const realDigits = 17

// formatReal writes a real number as SQLite does: 17 significant digits, fewer
// where the 15th and 16th are zeros or nines that come of the binary form, and
// always a decimal point. SQLite computes with a few guard bits, so the last of
// 17 digits can differ by one; numbers that people write have fewer.
func formatReal(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "Inf"
	case math.IsInf(f, -1):
		return "-Inf"
	case f == 0:
		return "0.0"
	}
	sign := ""
	if f < 0 {
		sign, f = "-", -f
	}
	digits, exp := shortened(f)
	switch {
	case exp < -4 || exp >= realDigits:
		frac := digits[1:]
		if frac == "" {
			frac = "0"
		}
		return fmt.Sprintf("%s%s.%se%+03d", sign, digits[:1], frac, exp)
	case exp < 0:
		return sign + "0." + strings.Repeat("0", -exp-1) + digits
	case len(digits) <= exp+1:
		return sign + digits + strings.Repeat("0", exp+1-len(digits)) + ".0"
	}
	return sign + digits[:exp+1] + "." + digits[exp+1:]
}

// shortened gives the significant digits of f and the exponent of the first.
func shortened(f float64) (string, int) {
	digits, exp := decimal(f, realDigits+1) // which SQLite rounds once more
	digits, exp = roundHalfUp(digits, exp)
	short := -1
	switch digits[14:16] {
	case "00":
		short = len(strings.TrimRight(digits[:15], "0"))
	case "99":
		short = max(len(strings.TrimRight(digits[:15], "9")), 1) // nines alone are a 1
	}
	if short > 0 {
		s, e := decimal(f, short)
		if g, err := strconv.ParseFloat(s[:1]+"."+s[1:]+"e"+strconv.Itoa(e), 64); err == nil && g == f {
			digits, exp = s, e
		}
	}
	digits = strings.TrimRight(digits, "0")
	return digits, exp
}

// roundHalfUp takes the last digit off.
func roundHalfUp(digits string, exp int) (string, int) {
	b := []byte(digits[:len(digits)-1])
	if digits[len(digits)-1] < '5' {
		return string(b), exp
	}
	for i := len(b) - 1; i >= 0; i-- {
		if b[i]++; b[i] <= '9' {
			return string(b), exp
		}
		b[i] = '0'
	}
	return "1" + string(b[:len(b)-1]), exp + 1
}

// decimal writes f, which is above 0, with n significant digits.
func decimal(f float64, n int) (string, int) {
	s := strconv.FormatFloat(f, 'e', n-1, 64) // d.dddde±dd
	mantissa, exponent, _ := strings.Cut(s, "e")
	exp, _ := strconv.Atoi(exponent)
	return mantissa[:1] + strings.TrimPrefix(mantissa[1:], "."), exp
}

// lower is the LOWER of SQL: ASCII letters only.
func lower(v Value) Value {
	if v.kind == kindNull {
		return v
	}
	s := v.String()
	for i := 0; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] >= 'A' && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return Text(string(b))
		}
	}
	return Text(s)
}
