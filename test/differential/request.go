// Package differential sends the same requests to two servers and tells where
// their answers differ.
//
// It exists because Pando promises the web API of another product. That API is
// written down in tables (which endpoint, which rule, which value gives which
// status); package areas holds those tables as requests, this package sends
// them and compares. Everything goes through the API, the data set included,
// so any two servers can be compared: the peer with Pando, Pando with itself
// on another database, the peer with a second peer (which must give no
// difference and so proves the comparison).
//
//	requests (areas) ─▶ Run on server A ─▶ answers ─┐
//	                 └▶ Run on server B ─▶ answers ─┴▶ Compare ─▶ Report
//
// To look for gaps by hand:
//
//	go run ./test/differential/cmd -help
package differential

import (
	"fmt"
	"net/url"
)

// Who a request is sent as. Each is a variable that an earlier request has
// captured a token into; Guest sends no Authorization.
const (
	Guest     = ""
	User      = "user"      // logged in, owns nothing
	Owner     = "owner"     // logged in, owns the records that the data set gives it
	Superuser = "superuser" // may do everything
)

// Request is one request of a table.
type Request struct {
	// Area and Name identify the request: "filter/number = text". They are
	// unique together.
	Area, Name string

	As     string // Guest, User, Owner, Superuser or any captured variable
	Method string // default GET, or POST when there is a body
	Path   string // may hold {{variables}}
	Query  url.Values

	Headers map[string]string

	// Body is sent with the content type Type, by default application/json.
	// Form, when there are parts, is sent as multipart/form-data instead.
	Body string
	Type string
	Form []Part

	// Capture keeps values of the answer for later requests: variable → path
	// in the JSON answer, as in "record.id" or "items.0.id". A captured value
	// stands as «variable» in every answer that is compared, since servers
	// are free to choose it.
	Capture map[string]string

	// Stream makes this a step with a realtime connection instead of a
	// single request.
	Stream Stream

	// Bytes compares a body that is not JSON: whole by default.
	Bytes Bytes
}

// Part is a part of a multipart form: a field, or a file when it has a name.
type Part struct {
	Name, Filename, Type, Content string
}

// Bytes tells how a body that is not JSON is compared.
type Bytes int

const (
	Whole  Bytes = iota // byte for byte
	Pixels              // as an image: format, width and height
)

// ID is the full title of a request.
func (r Request) ID() string { return r.Area + "/" + r.Name }

// Q makes a query from keys and values in turn.
func Q(pairs ...string) url.Values {
	if len(pairs)%2 != 0 {
		panic(fmt.Sprintf("differential.Q: odd number of strings: %q", pairs))
	}
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Add(pairs[i], pairs[i+1])
	}
	return q
}

// In gives requests their area and checks that their names are unique.
func In(area string, groups ...[]Request) []Request {
	var all []Request
	seen := map[string]int{}
	for _, group := range groups {
		for _, r := range group {
			r.Area = area
			if n := seen[r.Name]; n > 0 {
				seen[r.Name]++
				r.Name = fmt.Sprintf("%s #%d", r.Name, n+1)
			}
			seen[r.Name]++
			all = append(all, r)
		}
	}
	return all
}
