package postgres

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/rule"
)

// DecodeRow makes a record of what the log has of one, by the present catalog. It is
// complete if the log has a value for each field: large values that an update did not
// touch are not in it, nor is most of a record that another program has deleted. A
// field of which there is no value has its zero value; who needs it reads the record.
func (s *Store) DecodeRow(row changes.Row) (rec *pando.Record, complete bool, err error) {
	c := s.Catalog().Collection(row.Collection)
	if c == nil || c.ID != row.Collection || c.IsView() {
		return nil, false, fmt.Errorf("postgres: there is no collection %s any more", row.Collection)
	}
	p := s.plans.Of(c)
	rec, complete = p.decodeLogged(row)
	return rec, complete, nil
}

func (p *plan) decodeLogged(row changes.Row) (rec *pando.Record, complete bool) {
	rec = pando.NewRecord(p.c)
	complete = true
	for i, f := range p.c.Fields {
		at := -1
		if i < len(row.Columns) && row.Columns[i].Name == f.Name {
			at = i
		}
		for k := 0; at < 0 && k < len(row.Columns); k++ {
			if row.Columns[k].Name == f.Name {
				at = k
			}
		}
		if at < 0 || row.Columns[at].Unchanged {
			complete = false
			continue
		}
		rec.Values[i] = p.forms[i].ofText(row.Columns[at].Value)
	}
	if p.id >= 0 {
		rec.Values[p.id] = row.ID
	}
	return rec, complete
}

// ofText is a column's value of its text form; nil is NULL. It is what decode makes
// of the binary one.
func (f form) ofText(raw []byte) any {
	switch f {
	case formNumber:
		v, _ := strconv.ParseFloat(string(raw), 64)
		return finite(v)
	case formBool:
		return string(raw) == "t" || string(raw) == "true" // a cast to text
	case formDate:
		return dateOfText(string(raw))
	case formList:
		return listOfText(string(raw))
	case formJSON:
		return jsonOf(raw)
	case formPoint:
		return rule.ParsePoint(raw)
	}
	return string(raw)
}

// dateOfText reads a timestamptz as sessions of ours write it: in ISO form and UTC.
// What has no year of four digits is empty, as in appendDate.
func dateOfText(s string) string {
	t, err := time.Parse("2006-01-02 15:04:05.999999-07", s)
	if err != nil || strings.HasSuffix(s, "BC") {
		return ""
	}
	return t.UTC().Format(pando.TimeLayout)
}

// listOfText reads a text[] of one dimension, whatever number its first item has.
func listOfText(s string) []string {
	if strings.HasPrefix(s, "[") {
		bounds, items, ok := strings.Cut(s, "=")
		if !ok || strings.Count(bounds, "[") > 1 {
			return nil
		}
		s = items
	}
	if strings.HasPrefix(s, "{{") {
		return nil
	}
	return parseArray(s)
}

// touchedSQL writes to the log that a record was updated of which nothing changes, and
// what it is: followers are told later, when it may have become something else. It stays
// that until the commit: otherwise they would hear of what others make of it meanwhile
// before they hear of what it was.
func (p *plan) touchedSQL() string {
	return p.toldSQL(`touched {"collection":`+string(quoteJSON(p.c.ID))+`,"columns":`, p.one()+" FOR NO KEY UPDATE")
}

// heldSQL has a record stay what it is until the commit.
func (p *plan) heldSQL() string { return "SELECT FROM " + p.one() + " FOR NO KEY UPDATE" }

// one is the record whose id is given.
func (p *plan) one() string { return quote(p.c.Name) + " WHERE " + quote("id") + " = $1" }

// emptiedQuery writes to the log that all records of a collection were deleted at once.
func emptiedQuery(collection string) *query {
	return &query{sql: "SELECT pg_logical_emit_message(true, 'pando', $1)", args: texts("emptied " + collection)}
}

// announcedSQL deletes a record and writes what it was to the log, which else has no
// more of it than its id: other servers tell their subscribers.
func (p *plan) announcedSQL() string {
	return fmt.Sprintf("WITH gone AS (%s RETURNING %s) ", p.delete, p.columns) + p.toldSQL(`deleted {"collection":`+string(quoteJSON(p.c.ID))+`,"columns":`, "gone")
}

// toldSQL writes words and the record that from has to the log.
func (p *plan) toldSQL(words, from string) string {
	names, values := make([]string, len(p.c.Fields)), make([]string, len(p.c.Fields))
	for i, f := range p.c.Fields {
		names[i], values[i] = literal(f.Name), quote(f.Name)+"::text"
	}
	return fmt.Sprintf(`SELECT pg_logical_emit_message(true, 'pando', %s || json_object(ARRAY[%s], ARRAY[%s])::text || ',"id":' || to_json("id")::text || '}') FROM %s`,
		literal(words), strings.Join(names, ", "), strings.Join(values, ", "), from)
}
