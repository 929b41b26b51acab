package postgres

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"time"
	"unicode/utf8"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
)

func validText(s string) bool { return utf8.ValidString(s) }

// decode makes a record of a row of a table, in binary form, whose columns are
// the plan's fields in order.
func (p *plan) decode(c *conn, row [][]byte) *pando.Record {
	values := make([]any, len(p.forms))
	// All texts of a row go into one string: one allocation instead of one each.
	texts, ends := c.texts[:0], c.ends[:0]
	for i, f := range p.forms {
		switch f {
		case formText:
			texts = append(texts, row[i]...)
			ends = append(ends, len(texts))
		case formDate:
			texts = appendDate(texts, row[i])
			ends = append(ends, len(texts))
		}
	}
	c.texts, c.ends = texts, ends
	all, start := string(texts), 0
	for i, f := range p.forms {
		switch f {
		case formText, formDate:
			values[i] = all[start:ends[0]]
			start, ends = ends[0], ends[1:]
		case formNumber:
			values[i] = numberOf(row[i])
		case formBool:
			values[i] = len(row[i]) == 1 && row[i][0] == 1
		case formList:
			values[i] = arrayOf(row[i])
		case formJSON:
			values[i] = jsonOf(row[i])
		case formPoint:
			values[i] = rule.ParsePoint(row[i])
		}
	}
	return &pando.Record{Collection: p.c, Values: values}
}

// decodeID makes a record that has only its id, column 0 of the row.
func (p *plan) decodeID(row [][]byte) *pando.Record {
	r := pando.NewRecord(p.c)
	if p.id >= 0 {
		r.Values[p.id] = string(row[0])
	}
	return r
}

// numberOf is a float8 as a number that JSON can hold.
func numberOf(raw []byte) float64 {
	if len(raw) != 8 {
		return 0
	}
	return finite(math.Float64frombits(binary.BigEndian.Uint64(raw)))
}

func finite(v float64) float64 {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return 0
	}
	return v
}

// appendDate writes a timestamptz as pando.FormatTime does. Years that have no
// four digits, and infinity, which only others can have written, are empty.
func appendDate(b, raw []byte) []byte {
	if len(raw) != 8 {
		return b
	}
	us := int64(binary.BigEndian.Uint64(raw))
	if us > math.MaxInt64-year2000 || us == math.MinInt64 {
		return b
	}
	t := time.UnixMicro(us + year2000).UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return b
	}
	return t.AppendFormat(b, pando.TimeLayout)
}

// arrayOf reads a text[] in binary form.
func arrayOf(raw []byte) []string {
	if len(raw) < 20 {
		return nil
	}
	n := int(binary.BigEndian.Uint32(raw[12:]))
	if dimensions := binary.BigEndian.Uint32(raw); dimensions != 1 || n > len(raw)/4 {
		return nil
	}
	all := string(raw)
	list := make([]string, 0, n)
	for at := 20; len(list) < n && at+4 <= len(raw); {
		size := int(int32(binary.BigEndian.Uint32(raw[at:])))
		at += 4
		if size < 0 { // NULL, written by others
			list = append(list, "")
			continue
		}
		if at+size > len(raw) {
			break
		}
		list = append(list, all[at:at+size])
		at += size
	}
	return list
}

// null is shared: nobody may change a value of a record.
var null = json.RawMessage("null")

func jsonOf(raw []byte) json.RawMessage {
	if raw == nil {
		return null
	}
	return json.RawMessage(bytes.TrimSpace(append([]byte{}, raw...)))
}

func int64Of(raw []byte) int64 {
	if len(raw) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(raw))
}
