package rule

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// strftime is SQLite's function: args are the format, the time and modifiers;
// null if one of them makes no sense.
func strftime(args []Value, now time.Time) Value {
	for _, a := range args {
		if a.IsNull() {
			return Null
		}
	}
	c, ok := parseClock(args[1], now)
	for i := 2; ok && i < len(args); i++ {
		ok = c.modify(strings.ToLower(args[i].String()), i == 2)
	}
	if !ok || !c.valid() {
		return Null
	}
	return c.format(args[0].String())
}

func isNow(v Value) bool { return v.kind == kindText && strings.EqualFold(v.s, "now") }

// Times are counted in milliseconds since noon of 24 November 4714 BC, the
// origin of Julian days, as SQLite does it.
const (
	dayMillis = 86400000
	unixEpoch = 210866760000000
	maxClock  = 464269060799999 // 9999-12-31 23:59:59.999
)

type clock struct {
	millis int64
	raw    float64 // the number given, if the time was one
	number bool
}

func (c *clock) valid() bool { return c.millis >= 0 && c.millis <= maxClock }

func (c *clock) time() time.Time { return time.UnixMilli(c.millis - unixEpoch).UTC() }

func (c *clock) set(t time.Time) { c.millis = t.UnixMilli() + unixEpoch }

// parseClock reads a time: a Julian day as a number, "now", a date, a time or
// both.
func parseClock(v Value, now time.Time) (clock, bool) {
	var c clock
	if v.IsText() {
		s := v.s
		if isNow(v) {
			c.set(now)
			return c, true
		}
		if t, ok := parseDate(s); ok {
			c.set(t)
			return c, true
		}
		n := v.Numeric()
		if !n.IsNumber() {
			return c, false
		}
		v = n
	}
	f := v.f
	if v.kind == kindInt {
		f = float64(v.n)
	}
	c.raw, c.number = f, true
	if f >= 0 && f < 5373484.5 {
		c.millis = int64(f*dayMillis + 0.5)
	} else {
		c.millis = -1 // no Julian day; a modifier may say what else it is
	}
	return c, true
}

// parseDate reads YYYY-MM-DD, HH:MM[:SS[.fff]], or both, and a zone.
func parseDate(s string) (time.Time, bool) {
	year, month, day := 2000, 1, 1
	rest := s
	if len(s) >= 10 && s[4] == '-' && s[7] == '-' {
		var ok [3]bool
		year, ok[0] = digits(s[:4], 0, 9999)
		month, ok[1] = digits(s[5:7], 1, 12)
		day, ok[2] = digits(s[8:10], 1, 31)
		if ok != [3]bool{true, true, true} {
			return time.Time{}, false
		}
		if rest = strings.TrimLeft(s[10:], " T\t\n\v\f\r"); rest == "" {
			return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC), true
		}
	}
	since, zone, ok := parseTimeOfDay(rest)
	if !ok {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Add(since - zone), true
}

func digits(s string, least, most int) (int, bool) {
	n, ok := listIndex(s)
	return n, ok && n >= least && n <= most
}

// parseTimeOfDay reads HH:MM[:SS[.fff]] and a zone behind it.
func parseTimeOfDay(s string) (since, zone time.Duration, ok bool) {
	if len(s) < 5 || s[2] != ':' {
		return 0, 0, false
	}
	hour, okHour := digits(s[:2], 0, 24)
	minute, okMinute := digits(s[3:5], 0, 59)
	if !okHour || !okMinute {
		return 0, 0, false
	}
	since = time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
	s = s[5:]
	if len(s) >= 3 && s[0] == ':' {
		second, okSecond := digits(s[1:3], 0, 59)
		if !okSecond {
			return 0, 0, false
		}
		since += time.Duration(second) * time.Second
		s = s[3:]
		if len(s) >= 2 && s[0] == '.' && isDigit(s[1]) {
			n := 1
			for n < len(s) && isDigit(s[n]) {
				n++
			}
			f, _ := strconv.ParseFloat("0"+s[:n], 64)
			since += time.Duration(f*1000+0.5) * time.Millisecond
			s = s[n:]
		}
	}
	zone, ok = parseZone(strings.TrimLeft(s, " \t\n\v\f\r"))
	return since, zone, ok
}

func parseZone(s string) (time.Duration, bool) {
	trimmed := strings.TrimRight(s, " \t\n\v\f\r")
	switch {
	case trimmed == "" || trimmed == "Z" || trimmed == "z":
		return 0, true
	case len(trimmed) == 6 && (trimmed[0] == '+' || trimmed[0] == '-') && trimmed[3] == ':':
		h, okHour := digits(trimmed[1:3], 0, 14)
		m, okMinute := digits(trimmed[4:6], 0, 59)
		d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
		if trimmed[0] == '-' {
			d = -d
		}
		return d, okHour && okMinute
	}
	return 0, false
}

// modify applies one modifier, in lower case.
func (c *clock) modify(m string, first bool) bool {
	switch m {
	case "unixepoch", "auto", "julianday":
		return first && (c.number && c.reinterpret(m) || !c.number && m == "auto")
	case "subsec", "subsecond", "floor", "ceiling":
		return m != "floor" && m != "ceiling" // overflow of months goes into the next, which is ceiling's default
	case "utc":
		t := c.time()
		local := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.Local)
		c.set(local)
		return true
	case "localtime":
		_, offset := c.time().In(time.Local).Zone()
		c.millis += int64(offset) * 1000
		return true
	}
	if !c.valid() {
		return false
	}
	if n, ok := strings.CutPrefix(m, "weekday "); ok {
		return c.weekday(strings.TrimSpace(n))
	}
	if unit, ok := strings.CutPrefix(m, "start of "); ok {
		return c.startOf(strings.TrimSpace(unit))
	}
	return c.shift(m)
}

// reinterpret reads the number as something other than a Julian day.
func (c *clock) reinterpret(m string) bool {
	if m == "julianday" || m == "auto" && c.millis >= 0 {
		return c.millis >= 0
	}
	ms := math.Floor(c.raw*1000+0.5) + unixEpoch
	if ms < 0 || ms > maxClock {
		return false
	}
	c.millis = int64(ms)
	return true
}

func (c *clock) weekday(s string) bool {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || f < 0 || f >= 7 {
		return false
	}
	t := c.time()
	c.set(t.AddDate(0, 0, (int(f)-int(t.Weekday())+7)%7))
	return true
}

func (c *clock) startOf(unit string) bool {
	t := c.time()
	switch unit {
	case "day":
		t = day(t)
	case "month":
		t = month(t)
	case "year":
		t = year(t)
	default:
		return false
	}
	c.set(t)
	return true
}

// shift adds a signed amount: "+3 days", "-1.5 hours", "+01:30", "-0001-02-03".
func (c *clock) shift(m string) bool {
	if m == "" || m[0] != '+' && m[0] != '-' && !isDigit(m[0]) {
		return false
	}
	end := 1
	for end < len(m) && m[end] != ':' && m[end] != ' ' && (m[end] != '-' || end == 0) && !isUnitStart(m[end]) {
		end++
	}
	if end < len(m) && m[end] == ':' {
		return c.shiftClock(m)
	}
	f, err := strconv.ParseFloat(m[:end], 64)
	if err != nil {
		return false
	}
	unit := strings.TrimSuffix(strings.TrimSpace(m[end:]), "s")
	var each float64
	switch unit {
	case "day":
		each = dayMillis
	case "hour":
		each = dayMillis / 24
	case "minute":
		each = 60000
	case "second":
		each = 1000
	case "month", "year":
		return c.shiftMonths(f, unit)
	default:
		return false
	}
	rounding := 0.5
	if f < 0 {
		rounding = -0.5
	}
	if math.Abs(f) > 464269060800 {
		return false
	}
	c.millis += int64(f*each + rounding)
	return c.valid()
}

func isUnitStart(b byte) bool { return b >= 'a' && b <= 'z' && b != 'e' }

// shiftMonths moves whole months, then the rest as days of 30 or 365.
func (c *clock) shiftMonths(f float64, unit string) bool {
	if math.Abs(f) > 176546 {
		return false
	}
	whole := int(f)
	rest := f - float64(whole)
	t := c.time()
	days := 30.0
	if unit == "year" {
		t, days = t.AddDate(whole, 0, 0), 365
	} else {
		t = t.AddDate(0, whole, 0)
	}
	c.set(t)
	if rest != 0 {
		rounding := 0.5
		if rest < 0 {
			rounding = -0.5
		}
		c.millis += int64(rest*days*dayMillis + rounding)
	}
	return c.valid()
}

func (c *clock) shiftClock(m string) bool {
	sign := int64(1)
	if m[0] == '-' {
		sign = -1
	}
	since, zone, ok := parseTimeOfDay(strings.TrimLeft(m, "+-"))
	if !ok || zone != 0 {
		return false
	}
	c.millis += sign * since.Milliseconds()
	return c.valid()
}

// format writes the time; an unknown letter makes the whole null.
func (c *clock) format(f string) Value {
	t := c.time()
	var b strings.Builder
	for i := 0; i < len(f); i++ {
		if f[i] != '%' {
			b.WriteByte(f[i])
			continue
		}
		if i++; i == len(f) {
			return Null
		}
		s, ok := c.verb(f[i], t)
		if !ok {
			return Null
		}
		b.WriteString(s)
	}
	return Text(b.String())
}

func (c *clock) verb(v byte, t time.Time) (string, bool) {
	hour12 := (t.Hour()+11)%12 + 1
	isoYear, isoWeek := t.ISOWeek()
	switch v {
	case 'd':
		return fmt.Sprintf("%02d", t.Day()), true
	case 'e':
		return fmt.Sprintf("%2d", t.Day()), true
	case 'f':
		return fmt.Sprintf("%06.3f", float64(t.Second())+float64(t.Nanosecond()/1e6)/1000), true
	case 'F':
		return t.Format("2006-01-02"), true
	case 'G':
		return fmt.Sprintf("%04d", isoYear), true
	case 'g':
		return fmt.Sprintf("%02d", isoYear%100), true
	case 'H':
		return fmt.Sprintf("%02d", t.Hour()), true
	case 'I':
		return fmt.Sprintf("%02d", hour12), true
	case 'j':
		return fmt.Sprintf("%03d", t.YearDay()), true
	case 'J':
		return strconv.FormatFloat(float64(c.millis)/dayMillis, 'g', 16, 64), true
	case 'k':
		return fmt.Sprintf("%2d", t.Hour()), true
	case 'l':
		return fmt.Sprintf("%2d", hour12), true
	case 'm':
		return fmt.Sprintf("%02d", int(t.Month())), true
	case 'M':
		return fmt.Sprintf("%02d", t.Minute()), true
	case 'p':
		return t.Format("PM"), true
	case 'P':
		return t.Format("pm"), true
	case 'R':
		return t.Format("15:04"), true
	case 's':
		return strconv.FormatInt(c.millis/1000-unixEpoch/1000, 10), true
	case 'S':
		return fmt.Sprintf("%02d", t.Second()), true
	case 'T':
		return t.Format("15:04:05"), true
	case 'u':
		return strconv.Itoa((int(t.Weekday())+6)%7 + 1), true
	case 'U':
		return fmt.Sprintf("%02d", (t.YearDay()+6-int(t.Weekday()))/7), true
	case 'V':
		return fmt.Sprintf("%02d", isoWeek), true
	case 'w':
		return strconv.Itoa(int(t.Weekday())), true
	case 'W':
		return fmt.Sprintf("%02d", (t.YearDay()+6-(int(t.Weekday())+6)%7)/7), true
	case 'Y':
		return fmt.Sprintf("%04d", t.Year()), true
	case '%':
		return "%", true
	}
	return "", false
}
