package lb

import "bytes"

// byteSet is some bytes of all.
type byteSet [256]bool

func bytesOf(text string) (s byteSet) {
	for i := range len(text) {
		s[text[i]] = true
	}
	return s
}

const (
	digits   = "0123456789"
	letters  = "abcdefghijklmnopqrstuvwxyz"
	capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	alphanum = digits + letters + capitals
)

// What bytes may be, where the fast path takes them: less than HTTP allows rather than
// more.
var (
	inPath      = bytesOf(alphanum + "/-._~!$&'()*+,;=:@")
	inHost      = bytesOf(alphanum + "-.:[]")
	hexadecimal = bytesOf(digits + "abcdefABCDEF")
	inValue     = valueBytes()
	// lowerToken are the bytes of header names, in lower case; 0: not taken. An underscore
	// is not: some servers take it for a hyphen.
	lowerToken = tokenBytes()
)

// valueBytes are all but control characters.
func valueBytes() (s byteSet) {
	for c := range s {
		s[c] = c >= ' ' && c != 0x7f || c == '\t'
	}
	return s
}

func tokenBytes() (lower [256]byte) {
	for c, is := range bytesOf(digits + letters + "!#$%&'*+-.^`|~") {
		if is {
			lower[c] = byte(c)
		}
	}
	for _, c := range []byte(capitals) {
		lower[c] = c - 'A' + 'a'
	}
	return lower
}

// fieldOf takes a header line apart, without its end.
func fieldOf(line []byte) (name, value []byte, ok bool) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return nil, nil, false
	}
	for _, c := range line[:colon] {
		if lowerToken[c] == 0 {
			return nil, nil, false
		}
	}
	value = line[colon+1:]
	for _, c := range value {
		if !inValue[c] {
			return nil, nil, false
		}
	}
	for len(value) > 0 && (value[0] == ' ' || value[0] == '\t') {
		value = value[1:]
	}
	for n := len(value) - 1; n >= 0 && (value[n] == ' ' || value[n] == '\t'); n-- {
		value = value[:n]
	}
	return line[:colon], value, true
}

// lowered is a name in lower case, as far as it fits into buf: none that matters as a
// whole is as long as that.
func lowered(buf *[longestName]byte, name []byte) []byte {
	n := min(len(name), len(buf))
	for i, c := range name[:n] {
		buf[i] = lowerToken[c]
	}
	return buf[:n]
}

// plainHost is a name or address, and a port perhaps.
func plainHost(host []byte) bool {
	if len(host) == 0 || len(host) > longestHost {
		return false
	}
	for _, c := range host {
		if !inHost[c] {
			return false
		}
	}
	return true
}

// lengthOf is a length as it is written usually: without zeros before it.
func lengthOf(value []byte) (int64, bool) {
	n, ok := length(value)
	return n, ok && (value[0] != '0' || len(value) == 1)
}

// foldEqual compares without case; lower is in lower case.
func foldEqual(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
