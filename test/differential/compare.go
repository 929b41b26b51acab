package differential

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"image"
	_ "image/gif" // formats that thumbs may have
	_ "image/jpeg"
	_ "image/png"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Class is how bad a difference is.
type Class string

const (
	Status Class = "status"  // another status, or no answer
	SDKKey Class = "sdk key" // a key that the client SDKs read
	Other  Class = "other"   // anything else; must be listed to be accepted
)

// Difference is one point where two answers differ.
type Difference struct {
	Class Class
	Where string // "status", "header Vary", "body data.title.code", …
	A, B  string // the two values, shortened
}

// Result is the comparison of one request.
type Result struct {
	Request     Request
	A, B        Answer
	Differences []Difference
}

// sdkKeys are the keys of an answer that the SDKs themselves read.
var sdkKeys = map[string]bool{
	"page": true, "perPage": true, "totalItems": true, "totalPages": true, "items": true,
	"id": true, "collectionId": true, "collectionName": true, "expand": true,
	"token": true, "record": true, "meta": true,
	"message": true, "data": true, "status": true, "code": true,
}

// comparedHeaders are the headers whose value a client can depend on.
var comparedHeaders = []string{
	"Content-Type", "Content-Disposition", "Content-Security-Policy", "Content-Range", "Accept-Ranges",
	"Cache-Control", "Location", "Retry-After", "Vary",
	"X-Content-Type-Options", "X-Frame-Options", "X-Xss-Protection", "X-Accel-Buffering",
	"Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
	"Access-Control-Allow-Credentials", "Access-Control-Expose-Headers", "Access-Control-Max-Age",
}

// Compare compares two runs of the same requests.
func Compare(requests []Request, a, b Run) []Result {
	fixed := fixedIDs(requests)
	results := make([]Result, len(requests))
	for i, q := range requests {
		results[i] = Result{Request: q, A: a.Answers[i], B: b.Answers[i]}
		results[i].Differences = compare(q, a.Answers[i], b.Answers[i],
			newNormaliser(fixed, a.Vars, a.Answers[i].At), newNormaliser(fixed, b.Vars, b.Answers[i].At))
	}
	return results
}

func compare(q Request, a, b Answer, na, nb *normaliser) []Difference {
	if a.Err != nil || b.Err != nil {
		if a.Err != nil && b.Err != nil {
			return []Difference{{Status, "no answer from either", a.Err.Error(), b.Err.Error()}}
		}
		return []Difference{{Status, "answer", show(a), show(b)}}
	}
	var d []Difference
	if a.Status != b.Status {
		// The bodies of different outcomes have nothing to compare.
		return append(d, Difference{Status, "status", show(a), show(b)})
	}
	for _, name := range comparedHeaders {
		va, vb := header(a.Header, name, na), header(b.Header, name, nb)
		if va != vb {
			d = append(d, Difference{Other, "header " + name, va, vb})
		}
	}
	return append(d, compareBodies(q, a, b, na, nb)...)
}

func compareBodies(q Request, a, b Answer, na, nb *normaliser) []Difference {
	va, oka := decode(a.Body)
	vb, okb := decode(b.Body)
	if oka && okb {
		w := walker{record: !definition(q.Path)}
		w.walk("", na.value(va), nb.value(vb), false)
		return w.found
	}
	ta, tb := opaque(q, a.Body), opaque(q, b.Body)
	if ta == tb {
		return nil
	}
	return []Difference{{SDKKey, "body", ta, tb}}
}

// definition tells whether a path answers with a collection's definition or
// settings, of which the SDKs read only the well-known keys. In records every
// key belongs to the user.
func definition(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	return strings.HasPrefix(path, "/api/settings") || strings.HasSuffix(path, "/auth-methods") ||
		strings.HasPrefix(path, "/api/collections") && strings.Count(path, "/") <= 3 ||
		strings.HasPrefix(path, "/api/collections/meta/") || path == "/api/health"
}

// decode reads JSON with numbers as they were written.
func decode(body []byte) (any, bool) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, false
	}
	return v, !dec.More()
}

func opaque(q Request, body []byte) string {
	if q.Bytes == Pixels {
		if c, format, err := image.DecodeConfig(bytes.NewReader(body)); err == nil {
			return fmt.Sprintf("%s %d×%d", format, c.Width, c.Height)
		}
	}
	if len(body) <= 200 {
		return string(body)
	}
	return fmt.Sprintf("%d bytes, sha256 %x", len(body), sha256.Sum256(body))
}

func header(h http.Header, name string, n *normaliser) string {
	return n.text(strings.Join(h.Values(name), ", "))
}

// walker finds the differences of two JSON values.
type walker struct {
	record bool // unknown keys are a record's fields
	found  []Difference
}

func (w *walker) walk(path string, a, b any, sdk bool) {
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			w.objects(path, x, y, sdk)
			return
		}
	case []any:
		if y, ok := b.([]any); ok {
			w.arrays(path, x, y, sdk)
			return
		}
	case json.Number:
		if y, ok := b.(json.Number); ok {
			w.numbers(path, x, y, sdk)
			return
		}
	default:
		if a == b {
			return
		}
	}
	w.add(path, jsonText(a), jsonText(b), sdk)
}

func (w *walker) objects(path string, a, b map[string]any, sdk bool) {
	keys := map[string]bool{}
	for key := range a {
		keys[key] = true
	}
	for key := range b {
		keys[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		va, ina := a[key]
		vb, inb := b[key]
		at := strings.TrimPrefix(path+"."+key, ".")
		read := sdkKeys[key] || sdk || w.record && path == ""
		switch {
		case !ina:
			w.add(at, "absent", jsonText(vb), read)
		case !inb:
			w.add(at, jsonText(va), "absent", read)
		default:
			// Every key below a record or an error's data belongs to it, but
			// what an error's message was made from is not read.
			w.walk(at, va, vb, read && (w.record || sdk || key == "data") && key != "params")
		}
	}
}

func (w *walker) arrays(path string, a, b []any, sdk bool) {
	if len(a) != len(b) {
		w.add(path, fmt.Sprintf("%d items %s", len(a), jsonText(a)), fmt.Sprintf("%d items %s", len(b), jsonText(b)), sdk)
		return
	}
	for i := range a {
		w.walk(strings.TrimPrefix(path+"."+strconv.Itoa(i), "."), a[i], b[i], sdk)
	}
}

// numbers: a value written in two ways is the same to every client.
func (w *walker) numbers(path string, a, b json.Number, sdk bool) {
	if a == b {
		return
	}
	x, okx := new(big.Float).SetString(a.String())
	y, oky := new(big.Float).SetString(b.String())
	same := okx && oky && x.Cmp(y) == 0
	w.add(path, a.String(), b.String(), sdk && !same)
}

func (w *walker) add(path, a, b string, sdk bool) {
	class := Other
	if sdk {
		class = SDKKey
	}
	w.found = append(w.found, Difference{class, "body " + path, a, b})
}

func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

func show(a Answer) string {
	if a.Err != nil {
		return "no answer: " + a.Err.Error()
	}
	return fmt.Sprintf("%d %s", a.Status, strings.TrimSpace(string(a.Body)))
}

// Count counts results with differences of each class.
func Count(results []Result) map[Class]int {
	n := map[Class]int{}
	for _, r := range results {
		classes := map[Class]bool{}
		for _, d := range r.Differences {
			classes[d.Class] = true
		}
		for c := range classes {
			n[c]++
		}
	}
	return n
}

// Areas are the areas of requests, sorted.
func Areas(requests []Request) []string {
	set := map[string]bool{}
	for _, r := range requests {
		set[r.Area] = true
	}
	areas := slices.Collect(maps.Keys(set))
	sort.Strings(areas)
	return areas
}
