// Package areas holds the requests of the differential run: the web API's
// tables, one file for each area.
//
// Every area is sent after the data set (dataset.go) and keeps to itself: it
// reads what the data set made, and writes only to collections and records of
// its own, so that any choice of areas gives the same answers.
//
// Left out, and named in docs/compatibility.md: routes that Pando does not have
// yet, and where the peer's version (0.36) differs from the newest, which Pando
// follows.
package areas

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/pandobase/pando/test/differential"
)

// The types and names of package differential stand in every line below.
type (
	req  = differential.Request
	part = differential.Part
)

const (
	guest     = differential.Guest
	user      = differential.User
	owner     = differential.Owner
	superuser = differential.Superuser
)

// everyone is who a row of the status table is tried as.
var everyone = []string{guest, user, owner, superuser}

func q(pairs ...string) map[string][]string { return differential.Q(pairs...) }

// called shows an identity in a name.
func called(as string) string {
	if as == guest {
		return "guest"
	}
	return as
}

// id makes a record id of the right length from a short word and a number:
// id("post", 3) is "post00000000003".
func id(word string, n int) string {
	digits := fmt.Sprint(n)
	return word + strings.Repeat("0", 15-len(word)-len(digits)) + digits
}

type area struct {
	name     string
	requests func() []req
}

// list is every area in the order it is sent. The first makes the data set.
var list = []area{
	{"dataset", dataset},
	{"filter", filters},
	{"list", lists},
	{"expand", expands},
	{"fields", fieldPicks},
	{"rules", ruleMatrix},
	{"values", values},
	{"modifiers", modifiers},
	{"batch", batches},
	{"files", fileRequests},
	{"auth", auths},
	{"bodies", bodies},
	{"routes", routes},
	{"realtime", realtime},
	{"collections", collections},
	{"settings", settings},
}

// All are the requests of every area.
func All() []differential.Request {
	all, err := Select("")
	if err != nil {
		panic(err) // the empty expression is valid
	}
	return all
}

// Select is the data set and the areas whose name matches a regular expression.
func Select(expr string) ([]differential.Request, error) {
	match, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("areas: %w", err)
	}
	var all []differential.Request
	for i, a := range list {
		if i == 0 || match.MatchString(a.name) {
			all = append(all, differential.In(a.name, a.requests())...)
		}
	}
	return all, nil
}
