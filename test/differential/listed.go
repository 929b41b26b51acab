package differential

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// MaxListed is how many differences may be listed as accepted.
const MaxListed = 15

// Accepted is a difference that the documentation lists with its reason.
type Accepted struct {
	Request string // pattern of request titles, * stands for any text
	Where   string // pattern of Difference.Where
	Reason  string
	// Any takes a difference of a status or of a key that the SDKs read too.
	Any bool

	request, where *regexp.Regexp
}

// The table of accepted differences stands between these lines, and so does that
// of a database's own.
const (
	listBegin       = "<!-- differences: begin -->"
	listEnd         = "<!-- differences: end -->"
	postgresBegin   = "<!-- differences on PostgreSQL: begin -->"
	postgresListEnd = "<!-- differences on PostgreSQL: end -->"
)

// ReadAccepted reads the table of accepted differences in a Markdown file:
// rows of `request pattern | where | reason` between two marker comments.
func ReadAccepted(path string) ([]Accepted, error) {
	return readTable(path, listBegin, listEnd)
}

// ReadAcceptedOnPostgres reads the table of what differs on PostgreSQL besides,
// the status included.
func ReadAcceptedOnPostgres(path string) ([]Accepted, error) {
	rows, err := readTable(path, postgresBegin, postgresListEnd)
	for i := range rows {
		rows[i].Any = true
	}
	return rows, err
}

func readTable(path, begin, end string) ([]Accepted, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the accepted differences: %w", err)
	}
	defer f.Close()
	var rows []Accepted
	inside, found := false, false
	scan := bufio.NewScanner(f)
	for line := 1; scan.Scan(); line++ {
		text := strings.TrimSpace(scan.Text())
		switch {
		case text == begin:
			inside, found = true, true
		case text == end:
			inside = false
		case inside && strings.HasPrefix(text, "|"):
			row, err := acceptedRow(text)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, line, err)
			}
			if row != nil {
				rows = append(rows, *row)
			}
		}
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if !found {
		return nil, fmt.Errorf("%s has no table of differences: expected the line %q", path, begin)
	}
	if len(rows) > MaxListed {
		return nil, fmt.Errorf("%s lists %d differences, at most %d are allowed", path, len(rows), MaxListed)
	}
	return rows, nil
}

// acceptedRow reads one row; the heading and the rule below it give nil.
func acceptedRow(text string) (*Accepted, error) {
	cells := strings.Split(strings.Trim(text, "|"), "|")
	for i := range cells {
		cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
	}
	if strings.EqualFold(cells[0], "request") || strings.Trim(cells[0], "-: ") == "" {
		return nil, nil
	}
	if len(cells) != 3 || cells[1] == "" || cells[2] == "" {
		return nil, fmt.Errorf("want | request | where | reason |, got %q", text)
	}
	return &Accepted{
		Request: cells[0], Where: cells[1], Reason: cells[2],
		request: glob(cells[0]), where: glob(cells[1]),
	}, nil
}

func glob(pattern string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$")
}

// Unlisted removes the accepted differences from results and returns what is
// left, and the rows that nothing needed. A status or an SDK key is never
// accepted, listed or not.
func Unlisted(results []Result, rows []Accepted) (left []Result, unused []Accepted) {
	used := make([]bool, len(rows))
	for _, r := range results {
		var open []Difference
	next:
		for _, d := range r.Differences {
			for i, row := range rows {
				if (row.Any || d.Class == Other) && row.request.MatchString(r.Request.ID()) && row.where.MatchString(d.Where) {
					used[i] = true
					continue next
				}
			}
			open = append(open, d)
		}
		if len(open) > 0 {
			r.Differences = open
			left = append(left, r)
		}
	}
	for i, row := range rows {
		if !used[i] {
			unused = append(unused, row)
		}
	}
	return left, unused
}
