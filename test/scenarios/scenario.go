// Package scenarios runs conversations with a server that are written as text:
// requests exactly as a client puts them on the wire, and what the answers
// must hold. It is for clients that cannot run here, such as the Dart SDK.
//
// A step of a scenario file:
//
//	=== a title
//	POST /api/collections/notes/records
//	content-type: application/json
//	authorization: {{token}}
//
//	{"title":"a note"}
//	--- 200
//	title = "a note"
//	id ~ ^[a-z0-9]{15}$
//	id -> note
//	email absent
//	. keys collectionId, collectionName, id, title
//
// The path on the left of an expectation goes into the JSON answer by keys and
// indexes (items.0.id); "." is the whole answer. {{name}} is a value that an
// earlier step has kept with ->. Header names are sent as they are written.
// Line ends of a multipart body become CRLF.
//
// CONNECT PATH NAME opens a stream of server-sent events and keeps its client
// id as NAME; HEAR NAME takes its next event, shown as {"event","id","data"}.
package scenarios

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// Step is one request with what is expected of its answer.
type Step struct {
	Title   string
	Line    int // where it begins in its file
	Method  string
	Path    string
	Stream  string // name of the stream of CONNECT and HEAR
	Header  [][2]string
	Body    string
	Status  int
	Expects []Expectation
}

// Expectation is one line about an answer.
type Expectation struct {
	Line int
	Path string
	Op   string // "=", "~", "->", "absent", "keys"
	Want string
}

var expectation = regexp.MustCompile(`^(\S+)\s+(=|~|->|absent|keys)\s*(.*)$`)

// Read parses a scenario file. Errors name the file and the line.
func Read(path string) ([]Step, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var steps []Step
	lines := strings.Split(string(text), "\n")
	for i := 0; i < len(lines); {
		line := lines[i]
		if !strings.HasPrefix(line, "=== ") {
			if len(steps) == 0 && (line == "" || strings.HasPrefix(line, "#")) {
				i++
				continue
			}
			return nil, fmt.Errorf("%s:%d: want a step (=== title), got %q", path, i+1, line)
		}
		end := i + 1
		for end < len(lines) && !strings.HasPrefix(lines[end], "=== ") {
			end++
		}
		step, err := parse(lines[i:end], i+1)
		if err != nil {
			return nil, fmt.Errorf("%s:%w", path, err)
		}
		steps = append(steps, step)
		i = end
	}
	return steps, nil
}

func parse(lines []string, first int) (Step, error) {
	s := Step{Title: strings.TrimPrefix(lines[0], "=== "), Line: first}
	bad := func(i int, format string, args ...any) (Step, error) {
		return s, fmt.Errorf("%d: %s", first+i, fmt.Sprintf(format, args...))
	}
	if len(lines) < 2 {
		return bad(0, "the step is empty")
	}
	request := strings.Fields(lines[1])
	switch {
	case len(request) == 3 && request[0] == "CONNECT":
		s.Method, s.Path, s.Stream = "CONNECT", request[1], request[2]
	case len(request) == 2 && request[0] == "HEAR":
		s.Method, s.Stream = "HEAR", request[1]
	case len(request) == 2:
		s.Method, s.Path = request[0], request[1]
	default:
		return bad(1, "want METHOD PATH, got %q", lines[1])
	}

	i := 2
	for ; i < len(lines) && lines[i] != "" && !strings.HasPrefix(lines[i], "--- "); i++ {
		name, value, ok := strings.Cut(lines[i], ": ")
		if !ok {
			return bad(i, "want a header (name: value), got %q", lines[i])
		}
		s.Header = append(s.Header, [2]string{name, value})
	}
	var body []string
	for ; i < len(lines) && !strings.HasPrefix(lines[i], "--- "); i++ {
		body = append(body, lines[i])
	}
	if len(body) > 0 {
		s.Body = strings.Join(body[1:], "\n")
	}
	if i == len(lines) {
		return bad(i-1, "the step has no --- STATUS")
	}
	status, err := strconv.Atoi(strings.TrimPrefix(lines[i], "--- "))
	if err != nil {
		return bad(i, "want --- STATUS, got %q", lines[i])
	}
	s.Status = status
	for i++; i < len(lines); i++ {
		if lines[i] == "" || strings.HasPrefix(lines[i], "#") {
			continue
		}
		m := expectation.FindStringSubmatch(lines[i])
		if m == nil {
			return bad(i, "want an expectation (path = value), got %q", lines[i])
		}
		s.Expects = append(s.Expects, Expectation{Line: first + i, Path: m[1], Op: m[2], Want: m[3]})
	}
	return s, nil
}
