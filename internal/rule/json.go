package rule

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/pandobase/pando"
)

// jsonExtract is SQL's json_extract of a record's value: texts without quotes,
// numbers, 1 and 0, null for what is not there, and JSON text for the rest. It
// reads the bytes in place, since decoding a document for one of its keys costs
// more than all the rest of a rule.
func jsonExtract(x any, path string) Value {
	var data []byte
	switch x := x.(type) {
	case json.RawMessage:
		data = x
	case pando.GeoPoint:
		switch path {
		case "$.lon":
			return jsonFloat(x.Lon)
		case "$.lat":
			return jsonFloat(x.Lat)
		case "$":
			return Text(PointText(x))
		}
		return Null
	default:
		return Null
	}
	data = trimBlanks(data)
	if path == "$" {
		if len(data) > 0 && (isDigit(data[0]) || data[0] == '-') {
			return Text(string(data)).Numeric() // a bare number is stored as one
		}
		return jsonScalar(data)
	}
	for i := 1; i < len(path) && data != nil; {
		if path[i] == '[' {
			n := 0
			for i++; path[i] != ']'; i++ {
				if n < 1<<30 {
					n = n*10 + int(path[i]-'0')
				}
			}
			i++
			data = jsonItem(data, n)
			continue
		}
		from := i + 1
		for i = from; i < len(path) && path[i] != '.' && path[i] != '['; i++ {
		}
		data = jsonMember(data, path[from:i])
	}
	return jsonScalar(data)
}

func jsonFloat(f float64) Value {
	if f == float64(int64(f)) && f < 1e15 && f > -1e15 {
		return Int(int64(f)) // marshalled without a point
	}
	return Real(f)
}

// jsonScalar is the SQL value of one JSON value.
func jsonScalar(data []byte) Value {
	if len(data) == 0 {
		return Null
	}
	switch c := data[0]; {
	case c == '"':
		if bytes.IndexByte(data, '\\') < 0 {
			return Text(string(data[1 : len(data)-1]))
		}
		var s string
		if json.Unmarshal(data, &s) != nil {
			return Null
		}
		return Text(s)
	case c == 't':
		return Int(1)
	case c == 'f':
		return Int(0)
	case c == 'n':
		return Null
	case c == '{' || c == '[':
		var b bytes.Buffer
		if json.Compact(&b, data) != nil {
			return Null
		}
		return Text(b.String())
	}
	if n, err := strconv.ParseInt(string(data), 10, 64); err == nil {
		return Int(n)
	}
	f, err := strconv.ParseFloat(string(data), 64)
	if err != nil {
		return Null
	}
	return Real(f)
}

// jsonMember is the value of a key, nil if there is none. Of two keys of one
// name the first counts.
func jsonMember(data []byte, key string) []byte {
	if len(data) == 0 || data[0] != '{' {
		return nil
	}
	for i := skipBlanks(data, 1); i < len(data) && data[i] == '"'; {
		end := skipValue(data, i)
		if end < 0 {
			return nil
		}
		name := data[i:end]
		i = skipBlanks(data, end)
		if i >= len(data) || data[i] != ':' {
			return nil
		}
		i = skipBlanks(data, i+1)
		if end = skipValue(data, i); end < 0 {
			return nil
		}
		if sameKey(name, key) {
			return data[i:end]
		}
		if i = skipBlanks(data, end); i >= len(data) || data[i] != ',' {
			return nil
		}
		i = skipBlanks(data, i+1)
	}
	return nil
}

func sameKey(quoted []byte, key string) bool {
	if bytes.IndexByte(quoted, '\\') >= 0 {
		var s string
		return json.Unmarshal(quoted, &s) == nil && s == key
	}
	return string(quoted[1:len(quoted)-1]) == key
}

// jsonItem is the nth item of a list, nil if there is none.
func jsonItem(data []byte, n int) []byte {
	if len(data) == 0 || data[0] != '[' {
		return nil
	}
	for i := skipBlanks(data, 1); i < len(data) && data[i] != ']'; n-- {
		end := skipValue(data, i)
		if end < 0 {
			return nil
		}
		if n == 0 {
			return data[i:end]
		}
		if i = skipBlanks(data, end); i >= len(data) || data[i] != ',' {
			return nil
		}
		i = skipBlanks(data, i+1)
	}
	return nil
}

// skipValue is where the value at i ends, -1 if the text is broken.
func skipValue(data []byte, i int) int {
	if i >= len(data) {
		return -1
	}
	switch data[i] {
	case '"':
		for i++; i < len(data); i++ {
			if data[i] == '\\' {
				i++
			} else if data[i] == '"' {
				return i + 1
			}
		}
		return -1
	case '{', '[':
		depth := 0
		for i < len(data) {
			switch data[i] {
			case '"':
				if i = skipValue(data, i); i < 0 {
					return -1
				}
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
		return -1
	}
	from := i
	for i < len(data) && bytes.IndexByte([]byte(",]} \t\r\n:"), data[i]) < 0 {
		i++
	}
	if i == from {
		return -1
	}
	return i
}

func skipBlanks(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\t' || data[i] == '\n' || data[i] == '\r') {
		i++
	}
	return i
}

func trimBlanks(data []byte) []byte { return bytes.Trim(data, " \t\r\n") }
