package postgres

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/wire"
)

// Types that a view's column may have, by their numbers in pg_type.
const (
	oidBool        = 16
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidText        = 25
	oidJSON        = 114
	oidFloat4      = 700
	oidFloat8      = 701
	oidTextArray   = 1009
	oidVarcharList = 1015
	oidDate        = 1082
	oidTimestamp   = 1114
	oidTimestamptz = 1184
	oidNumeric     = 1700
	oidJSONB       = 3802
)

// decodeText makes a record of a row, in text form, of a view or of a query in
// place of a table. Its columns may be of any type: values that do not fit their
// field become the nearest thing that does.
func (p *plan) decodeText(row [][]byte, fields []pgconn.FieldDescription) *pando.Record {
	values := make([]any, len(p.forms))
	for i, f := range p.forms {
		oid := fields[i].DataTypeOID
		raw := row[i]
		switch f {
		case formText, formDate:
			values[i] = cellText(raw, oid)
		case formNumber:
			values[i] = cellNumber(raw, oid)
		case formBool:
			values[i] = cellNumber(raw, oid) != 0
		case formList:
			values[i] = cellList(raw, oid)
		case formJSON:
			values[i] = cellJSON(raw, oid)
		case formPoint:
			values[i] = rule.ParsePoint(raw)
		}
	}
	return &pando.Record{Collection: p.c, Values: values}
}

// cellText is a cell as text, dates as Pando writes them.
func cellText(raw []byte, oid uint32) string {
	switch oid {
	case oidTimestamptz, oidTimestamp:
		for _, layout := range []string{"2006-01-02 15:04:05.999999-07", "2006-01-02 15:04:05.999999"} {
			if t, err := time.Parse(layout, string(raw)); err == nil {
				return t.UTC().Format(pando.TimeLayout)
			}
		}
	case oidBool: // as SQLite shows one
		if len(raw) == 1 {
			return map[byte]string{'t': "1", 'f': "0"}[raw[0]]
		}
	}
	return string(raw)
}

func cellNumber(raw []byte, oid uint32) float64 {
	switch oid {
	case oidBool:
		if string(raw) == "t" {
			return 1
		}
		return 0
	}
	return leadingNumber(string(raw))
}

// leadingNumber is what SQLite makes of a text as a number: as much of it as is
// one.
func leadingNumber(s string) float64 {
	s = strings.TrimLeft(s, " \t\r\n")
	end := 0
	digits, exponent := false, false
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b >= '0' && b <= '9':
			digits = true
			end = i + 1
			continue
		case (b == '+' || b == '-') && (i == 0 || s[i-1] == 'e' || s[i-1] == 'E'):
			continue
		case b == '.' && !exponent && !strings.Contains(s[:i], "."):
			if digits {
				end = i + 1
			}
			continue
		case (b == 'e' || b == 'E') && digits && !exponent:
			exponent = true
			continue
		}
		break
	}
	v, err := strconv.ParseFloat(s[:end], 64)
	if err != nil {
		return finite(v)
	}
	return finite(v)
}

// cellList is a cell as a list: an array, a JSON array, or a list of one.
func cellList(raw []byte, oid uint32) []string {
	switch {
	case len(raw) == 0:
		return nil
	case oid == oidTextArray || oid == oidVarcharList:
		return parseArray(string(raw))
	case raw[0] != '[':
		if s := cellText(raw, oid); s != "null" || oid != oidJSON && oid != oidJSONB {
			return []string{s}
		}
		return nil
	}
	var mixed []any
	if json.Unmarshal(raw, &mixed) != nil {
		return []string{string(raw)}
	}
	var list []string
	for _, v := range mixed {
		if s, ok := v.(string); ok {
			list = append(list, s)
			continue
		}
		if text, err := json.Marshal(v); err == nil {
			list = append(list, string(text))
		}
	}
	return list
}

// parseArray reads an array literal of texts.
func parseArray(s string) []string {
	if len(s) < 2 || s[0] != '{' {
		return nil
	}
	s = s[1 : len(s)-1]
	var list []string
	for s != "" {
		var item []byte
		quoted := s[0] == '"'
		i := 0
		if quoted {
			i = 1
		}
		for i < len(s) && (quoted && s[i] != '"' || !quoted && s[i] != ',') {
			if s[i] == '\\' && i+1 < len(s) {
				i++
			}
			item = append(item, s[i])
			i++
		}
		if quoted {
			i++
		}
		if !quoted && string(item) == "NULL" {
			item = nil
		}
		list = append(list, string(item))
		s = strings.TrimPrefix(s[min(i, len(s)):], ",")
	}
	return list
}

// cellJSON is a cell as JSON. Text that is no JSON is a JSON string.
func cellJSON(raw []byte, oid uint32) json.RawMessage {
	if raw == nil {
		return null
	}
	switch oid {
	case oidJSON, oidJSONB:
		return jsonOf(raw)
	case oidBool:
		return json.RawMessage(map[string]string{"t": "true", "f": "false"}[string(raw)])
	case oidInt2, oidInt4, oidInt8:
		return json.RawMessage(append([]byte{}, raw...))
	case oidFloat4, oidFloat8, oidNumeric:
		return wire.AppendNumber(nil, leadingNumber(string(raw)))
	case oidTextArray, oidVarcharList:
		text, err := json.Marshal(parseArray(string(raw)))
		if err != nil || string(text) == "null" {
			return json.RawMessage("[]")
		}
		return text
	case oidTimestamptz, oidTimestamp:
		return quoteJSON(cellText(raw, oid))
	}
	if json.Valid(raw) {
		return jsonOf(raw)
	}
	return quoteJSON(string(raw))
}

func quoteJSON(s string) json.RawMessage {
	text, err := json.Marshal(s)
	if err != nil {
		return null
	}
	return text
}
