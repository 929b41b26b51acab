package wire

import "encoding/json"

// AppendRaw appends a JSON value without the space between its tokens, and with
// HTML characters escaped. Nothing is null. A text that is no JSON, which only
// a foreign hand can have left in the database, is appended as a string, so
// that it cannot break the answer around it.
func AppendRaw(dst []byte, raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return append(dst, "null"...)
	}
	if !json.Valid(raw) {
		return AppendString(dst, string(raw))
	}
	return appendCompact(dst, raw)
}

// appendCompact is AppendRaw for what is known to be valid.
func appendCompact(dst, raw []byte) []byte {
	start, inString := 0, false
	for i := 0; i < len(raw); i++ {
		switch b := raw[i]; {
		case b == '"':
			inString = !inString
		case b == '\\':
			i++ // the escaped byte, and no quote that ends the string
		case b == '<' || b == '>' || b == '&':
			dst = append(dst, raw[start:i]...)
			dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&0xF])
			start = i + 1
		case b == 0xE2 && i+2 < len(raw) && raw[i+1] == 0x80 && raw[i+2]&^1 == 0xA8: // U+2028, U+2029
			dst = append(dst, raw[start:i]...)
			dst = append(dst, '\\', 'u', '2', '0', '2', hex[raw[i+2]&0xF])
			i += 2
			start = i + 1
		case !inString && (b == ' ' || b == '\n' || b == '\t' || b == '\r'):
			dst = append(dst, raw[start:i]...)
			start = i + 1
		}
	}
	return append(dst, raw[start:]...)
}
