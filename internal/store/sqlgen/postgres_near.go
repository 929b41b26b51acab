package sqlgen

import (
	"math"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
)

// Some constants no column can hold: a date that is none, a text with a NUL, a
// whole number between two doubles. The functions here find the first value of
// the column's type from the constant on, and tell whether it is the constant.

// nearDouble finds for numbers. A text is its caller's to see.
func nearDouble(v rule.Value) (f float64, equal bool) {
	switch x := v.Any().(type) {
	case float64:
		return x, true
	case int64:
		f := float64(x)
		switch off := offBy(x); {
		case off == 0:
			return f, true
		case off > 0:
			return math.Nextafter(f, math.Inf(1)), false
		}
		return f, false
	}
	return 0, false
}

// nearText finds for texts. Above all of them it finds one that nobody writes.
func nearText(s string) (text string, equal bool) {
	if PostgresHolds(s) {
		return s, true
	}
	n := 0
	for n < len(s) && s[n] != 0 {
		r, size := utf8.DecodeRuneInString(s[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	start, rest := s[:n], s[n:]
	for {
		r := 1 + sort.Search(utf8.MaxRune, func(i int) bool { return string(character(1+i)) > rest })
		if r <= utf8.MaxRune {
			return start + string(character(r)), false
		}
		if start == "" {
			return strings.Repeat(string(utf8.MaxRune), 8), false
		}
		_, size := utf8.DecodeLastRuneInString(start)
		start, rest = start[:len(start)-size], start[len(start)-size:]
	}
}

// character is the rune of a number; surrogates are none, the next one stands
// for them.
func character(n int) rune {
	if n >= 0xd800 && n < 0xe000 {
		return 0xe000
	}
	return rune(n)
}

// The years that a date field can hold.
var (
	firstDate = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	lastDate  = time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC).UnixMilli()
)

// nearDate finds for dates, which sort as texts as they do as times; it gives
// one as PostgreSQL reads it.
func nearDate(s string) (at string, equal bool) {
	if s == "" {
		return "-infinity", true
	}
	if t, err := time.Parse(pando.TimeLayout, s); err == nil && t.Format(pando.TimeLayout) == s {
		return postgresTime(t), true
	}
	ms := firstDate + int64(sort.Search(int(lastDate-firstDate)+1, func(i int) bool {
		return time.UnixMilli(firstDate+int64(i)).UTC().Format(pando.TimeLayout) >= s
	}))
	if ms > lastDate {
		return "infinity", false
	}
	return postgresTime(time.UnixMilli(ms).UTC()), false
}

// postgresTime writes the year 0 as PostgreSQL does: as the first before Christ.
func postgresTime(t time.Time) string {
	if t.Year() == 0 {
		return "0001" + t.Format("-01-02 15:04:05.000Z BC")
	}
	return t.Format(pando.TimeLayout)
}
