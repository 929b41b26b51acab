package importer

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pandobase/pando"
)

// sampleRows is how many rows the types of a new collection are inferred from.
const sampleRows = 20_000

// column is what a sample tells about one key of the file.
type column struct {
	key   string
	field string // the field's name in the collection

	values                               int // neither null nor ""
	bools, numbers, dates, emails, links int
	objects                              int // objects and arrays
	longest                              int // runes of the longest text
	layout                               string
}

// see takes one value into account.
func (c *column) see(v any) {
	switch v := v.(type) {
	case nil:
		return
	case bool:
		c.bools++
	case float64:
		c.numbers++
		c.longest = max(c.longest, len(strconv.FormatFloat(v, 'f', -1, 64)))
	case string:
		c.seeText(strings.TrimSpace(v))
		if v == "" {
			return
		}
	default:
		c.objects++
	}
	c.values++
}

func (c *column) seeText(v string) {
	if v == "" {
		return
	}
	c.longest = max(c.longest, utf8.RuneCountInString(v))
	switch {
	case v == "true" || v == "false":
		c.bools++
	case plainNumber.MatchString(v):
		c.numbers++
	case emailText.MatchString(v):
		c.emails++
	case strings.HasPrefix(v, "http://") || strings.HasPrefix(v, "https://"):
		c.links++
	default:
		// All dates of a column must share one layout, so that 01/02 is not
		// read as January in one row and February in the next.
		if c.dates == c.values {
			if layout := dateLayout(v, c.layout); layout != "" {
				c.layout = layout
				c.dates++
			}
		}
	}
}

// Numbers with leading zeros or a plus are codes (zip, phone), not quantities.
var (
	plainNumber = regexp.MustCompile(`^-?(0|[1-9]\d{0,14})(\.\d+)?([eE][-+]?\d{1,3})?$`)
	emailText   = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s.]+$`)
)

var dateLayouts = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04",
	"2006-01-02", "2006/01/02 15:04:05", "2006/01/02 15:04", "2006/01/02",
	"Jan 2 2006", "Jan 2, 2006", "January 2, 2006", "2 Jan 2006", "2 January 2006",
}

// dateLayout finds the layout that v is written in, trying only want if it is
// set; "" if v is no date.
func dateLayout(v, want string) string {
	if len(v) < 8 || len(v) > 40 {
		return ""
	}
	for _, l := range dateLayouts {
		if want != "" && l != want {
			continue
		}
		if _, err := time.Parse(l, v); err == nil {
			return l
		}
	}
	return ""
}

// parseDate reads v as any of the layouts, likely first; "" if it is none.
func parseDate(v, likely string) string {
	v = strings.TrimSpace(v)
	if likely != "" {
		if t, err := time.Parse(likely, v); err == nil {
			return pando.FormatTime(t)
		}
	}
	if l := dateLayout(v, ""); l != "" {
		if t, err := time.Parse(l, v); err == nil {
			return pando.FormatTime(t)
		}
	}
	return ""
}

// newField is the field that fits everything seen in the column.
func (c *column) newField() *pando.Field {
	f := &pando.Field{Name: c.field}
	switch {
	case c.values == 0:
		f.Type = pando.FieldText
	case c.bools == c.values:
		f.Type = pando.FieldBool
	case c.numbers == c.values:
		f.Type = pando.FieldNumber
	case c.dates == c.values:
		f.Type = pando.FieldDate
	case c.emails == c.values:
		f.Type = pando.FieldEmail
	case c.links == c.values:
		f.Type = pando.FieldURL
	case c.objects > 0:
		f.Type = pando.FieldJSON
	default:
		f.Type = pando.FieldText
	}
	f.Options = pando.NewOptions(f.Type)
	if o, ok := f.Options.(*pando.TextOptions); ok && c.longest > 2500 {
		o.Max = int(math.Pow(10, math.Ceil(math.Log10(float64(2*c.longest))))) // room to grow
	}
	return f
}

// reserved cannot be names of fields.
var reserved = map[string]bool{
	"": true, "null": true, "true": true, "false": true, "_rowid_": true, "expand": true,
	"collectionid": true, "collectionname": true, "created": true, "updated": true,
}

var notWord = regexp.MustCompile(`\W+`)

// fieldName makes a key of the file into a name that a field may have.
func fieldName(key string, taken map[string]bool) string {
	name := strings.Trim(notWord.ReplaceAllString(key, "_"), "_")
	for strings.Contains(strings.ToLower(name), "_via_") {
		name = name[:strings.Index(strings.ToLower(name), "_via_")] + "_" + name[strings.Index(strings.ToLower(name), "_via_")+5:]
	}
	if len(name) > 90 {
		name = name[:90]
	}
	if name == "" {
		name = "column"
	}
	if reserved[strings.ToLower(name)] {
		name += "_"
	}
	for base, i := name, 2; taken[strings.ToLower(name)]; i++ {
		name = base + strconv.Itoa(i)
	}
	taken[strings.ToLower(name)] = true
	return name
}

// definition is the JSON of a collection that the columns fit into, with
// created and updated dates; matches turns columns into relations. Rules are
// closed unless public, which opens reading.
func definition(name string, columns []*column, matches map[string]*pando.Collection, public bool) ([]byte, error) {
	c := &pando.Collection{Name: name, Type: pando.TypeBase}
	if public {
		c.ListRule, c.ViewRule = new(""), new("")
	}
	for _, col := range columns {
		f := col.newField()
		if (col.key == "created" || col.key == "updated") && f.Type == pando.FieldDate {
			col.field = col.key
		}
		switch col.field {
		case "id", "created", "updated":
			continue // every collection made here has them
		}
		if target := matches[col.key]; target != nil {
			f.Type = pando.FieldRelation
			f.Options = &pando.RelationOptions{CollectionID: target.ID, MaxSelect: 1}
		}
		c.Fields = append(c.Fields, f)
	}
	c.Fields = append(c.Fields,
		&pando.Field{Name: "created", Type: pando.FieldAutodate, Options: &pando.AutodateOptions{OnCreate: true}},
		&pando.Field{Name: "updated", Type: pando.FieldAutodate, Options: &pando.AutodateOptions{OnCreate: true, OnUpdate: true}})

	// The service gives ids and dates: what is empty here must not be sent.
	all, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(all, &keys); err != nil {
		return nil, err
	}
	for _, k := range []string{"id", "created", "updated", "indexes", "system"} {
		delete(keys, k)
	}
	return json.Marshal(keys)
}
