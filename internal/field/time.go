package field

import (
	"encoding/json"
	"time"

	"github.com/spf13/cast"

	"github.com/pandobase/pando"
)

// ParseTime reads a date in any of the usual layouts (ISO 8601, RFC 3339, 1123,
// 822 and 850, with a space or a T, with or without a fraction or a zone; UTC if
// there is none), a [time.Time], or a Go integer of unix seconds, and writes it
// as [pando.TimeLayout]. What is no date is "". A number out of JSON is none:
// nobody could tell seconds from milliseconds.
func ParseTime(raw any) string {
	switch v := raw.(type) {
	case nil, float64, float32, json.Number, bool:
		return ""
	case string:
		if v == "" {
			return ""
		}
		if t, err := time.Parse(pando.TimeLayout, v); err == nil { // the usual case
			return pando.FormatTime(t)
		}
	}
	t, err := cast.ToTimeInDefaultLocationE(raw, time.UTC)
	if err != nil {
		return ""
	}
	return pando.FormatTime(t)
}
