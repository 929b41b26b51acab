package pando

import "time"

// TimeLayout is how Pando writes a date, in JSON and in the database: UTC,
// milliseconds, a space between day and hour. Dates in this form sort as text.
const TimeLayout = "2006-01-02 15:04:05.000Z"

// FormatTime writes t as [TimeLayout], the zero time as "".
func FormatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(TimeLayout)
}
