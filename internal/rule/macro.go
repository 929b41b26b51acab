package rule

import (
	"time"

	"github.com/pandobase/pando"
)

// macro is one of the names that stand for the time, in UTC.
type macro func(now time.Time) Value

var macros = map[string]macro{
	"@now":       date(func(t time.Time) time.Time { return t }),
	"@yesterday": date(func(t time.Time) time.Time { return t.AddDate(0, 0, -1) }),
	"@tomorrow":  date(func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }),

	"@todayStart": date(day),
	"@todayEnd":   date(func(t time.Time) time.Time { return last(day(t).AddDate(0, 0, 1)) }),
	"@monthStart": date(month),
	"@monthEnd":   date(func(t time.Time) time.Time { return last(month(t).AddDate(0, 1, 0)) }),
	"@yearStart":  date(year),
	"@yearEnd":    date(func(t time.Time) time.Time { return last(year(t).AddDate(1, 0, 0)) }),

	"@second":  number(time.Time.Second),
	"@minute":  number(time.Time.Minute),
	"@hour":    number(time.Time.Hour),
	"@day":     number(time.Time.Day),
	"@month":   number(func(t time.Time) int { return int(t.Month()) }),
	"@weekday": number(func(t time.Time) int { return int(t.Weekday()) }), // 0 is Sunday
	"@year":    number(time.Time.Year),
}

func date(of func(time.Time) time.Time) macro {
	return func(now time.Time) Value { return Text(pando.FormatTime(of(now.UTC()))) }
}

func number(of func(time.Time) int) macro {
	return func(now time.Time) Value { return Int(int64(of(now.UTC()))) }
}

func day(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

func month(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

func year(t time.Time) time.Time {
	return time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
}

// last is the millisecond before t.
func last(t time.Time) time.Time { return t.Add(-time.Millisecond) }
