package settings

import (
	"strconv"
	"strings"

	"github.com/pandobase/pando"
)

// schedule checks a cron expression: minute, hour, day of the month, month and
// day of the week, or a macro.
func schedule(text string) *pando.FieldError {
	switch text {
	case "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly":
		return nil
	}
	parts := strings.Split(text, " ")
	if len(parts) != len(segments) {
		return badSchedule("must be a valid macro or to have exactly 5 space separated segments")
	}
	for i, part := range parts {
		for item := range strings.SplitSeq(part, ",") {
			if why := segment(item, segments[i].least, segments[i].most); why != "" {
				return badSchedule(why)
			}
		}
	}
	return nil
}

var segments = [5]struct{ least, most int }{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}}

func badSchedule(why string) *pando.FieldError {
	return &pando.FieldError{Code: "validation_invalid_cron", Message: "Invalid cron expression - " + why + "."}
}

// segment checks one item of one part: *, a number or a range, with an optional
// step. It returns what is wrong.
func segment(item string, least, most int) string {
	span, step, stepped := strings.Cut(item, "/")
	if stepped {
		if n, err := strconv.Atoi(step); err != nil || n < 1 || n > most {
			return "invalid segment step " + strconv.Quote(item)
		}
	}
	if span == "*" {
		return ""
	}
	from, to, ranged := strings.Cut(span, "-")
	a, err := strconv.Atoi(from)
	if err != nil || a < least || a > most || stepped && !ranged {
		return "invalid segment value " + strconv.Quote(item)
	}
	if ranged {
		if b, err := strconv.Atoi(to); err != nil || b < a || b > most {
			return "invalid segment range " + strconv.Quote(item)
		}
	}
	return ""
}
