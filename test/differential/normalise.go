package differential

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"sort"
	"strings"
	"time"
)

// normaliser hides what two servers must be free to choose: generated ids,
// tokens, random file suffixes and the time of day. What it leaves in place
// still shows the form of the value, so that a date in another form, a longer
// id or a token with other claims is a difference.
type normaliser struct {
	fixed    map[string]bool // ids that the requests themselves give
	captured []capturedValue
	at       time.Time
}

type capturedValue struct{ name, value string }

var (
	recordID    = regexp.MustCompile(`\b[a-z0-9]{15}\b`)
	jwt         = regexp.MustCompile(`eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+`)
	dateTime    = regexp.MustCompile(`\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?`)
	fileSuffix  = regexp.MustCompile(`_[a-zA-Z0-9]{10}(\.\w+)\b`)
	twice       = regexp.MustCompile(`_[a-z0-9]{10}_«random»`)                 // a file in a batch is named twice
	shortName   = regexp.MustCompile(`\b([a-z0-9]{0,2})[a-z0-9]{10}_«random»`) // names under three letters are filled up
	explained   = regexp.MustCompile(`(?s)(Invalid query - |Failed to create index \w+ - |Data validations failed for collection [^:]*:).*`)
	rawError    = regexp.MustCompile(`(?s) Raw error:.*`) // the words of a library, if any
	example     = regexp.MustCompile(`ex\.: "[^"]*"`)     // a value that a pattern could produce
	cloneField  = regexp.MustCompile(`_clone_\w{4}\b`)
	indexSuffix = regexp.MustCompile(`\bidx_(tokenKey|email)_[a-z0-9]{10}\b`)
)

// fixedIDs are the ids that stand in the requests.
func fixedIDs(requests []Request) map[string]bool {
	ids := map[string]bool{}
	note := func(text string) {
		for _, id := range recordID.FindAllString(text, -1) {
			ids[id] = true
		}
	}
	for _, r := range requests {
		note(r.Path)
		note(r.Body)
		for _, values := range r.Query {
			for _, v := range values {
				note(v)
			}
		}
		for _, p := range r.Form {
			note(p.Content)
		}
	}
	return ids
}

func newNormaliser(fixed map[string]bool, vars map[string]string, at time.Time) *normaliser {
	n := &normaliser{fixed: fixed, at: at}
	for name, value := range vars {
		// Short values could stand in a text by chance.
		if len(value) >= 10 && !fixed[value] && !strings.HasPrefix(name, "root.") {
			n.captured = append(n.captured, capturedValue{name, value})
		}
	}
	// Longest first: a file's name contains shorter captured values.
	sort.Slice(n.captured, func(i, j int) bool {
		a, b := n.captured[i], n.captured[j]
		if len(a.value) != len(b.value) {
			return len(a.value) > len(b.value)
		}
		return a.name < b.name
	})
	return n
}

// value normalises a decoded JSON value.
func (n *normaliser) value(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[n.text(key)] = n.value(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = n.value(item)
		}
		return out
	case string:
		return n.text(v)
	}
	return v
}

// text normalises a string. Tokens come first, since they are the longest and
// the only ones with something inside to compare.
func (n *normaliser) text(s string) string {
	s = jwt.ReplaceAllStringFunc(s, n.token)
	s = dateTime.ReplaceAllStringFunc(s, n.time)
	s = fileSuffix.ReplaceAllString(s, "_«random»$1")
	s = twice.ReplaceAllString(s, "_«random»")
	s = shortName.ReplaceAllString(s, "$1«random»_«random»")
	s = rawError.ReplaceAllString(s, "")
	s = explained.ReplaceAllString(s, "$1«explanation»")
	s = example.ReplaceAllString(s, "ex.: «random»")
	s = cloneField.ReplaceAllString(s, "_clone_«random»")
	s = indexSuffix.ReplaceAllString(s, "idx_${1}_«random»")
	for _, c := range n.captured {
		if strings.Contains(s, c.value) {
			s = strings.ReplaceAll(s, c.value, "«"+c.name+"»")
		}
	}
	return recordID.ReplaceAllStringFunc(s, func(id string) string {
		if n.fixed[id] {
			return id
		}
		return "«id»"
	})
}

// token shows a token's claims, with its end as seconds from now, to ten
// seconds.
func (n *normaliser) token(s string) string {
	parts := strings.Split(s, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return s
	}
	if exp, ok := claims["exp"].(float64); ok {
		left := time.Unix(int64(exp), 0).Sub(n.at).Seconds()
		claims["exp"] = fmt.Sprintf("in %.0f s", math.Round(left/10)*10)
	}
	shown, err := json.Marshal(claims)
	if err != nil {
		return s
	}
	header, _ := base64.RawURLEncoding.DecodeString(parts[0])
	return "«token " + n.text(string(header)+string(shown)) + "»"
}

// time hides a moment of this run. The data set's own dates are years away
// and stay.
func (n *normaliser) time(s string) string {
	for _, layout := range []string{"2006-01-02 15:04:05.000Z", "2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05"} {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		if d := t.Sub(n.at); d > 24*time.Hour || d < -24*time.Hour {
			return s
		}
		return "«now as " + layout + "»"
	}
	return s
}
