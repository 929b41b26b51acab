package lb

import "bytes"

// What bytes may be, where the fast path takes them: less than HTTP allows rather than
// more.
var (
	// lowerToken are the bytes of header names, in lower case; 0: not taken. An underscore
	// is not: some servers take it for a hyphen.
	lowerToken [256]byte
	inPath     [256]bool
	inHost     [256]bool
	inValue    [256]bool
	// hexadecimal are digits of an escape.
	hexadecimal [256]bool
)

func init() {
	for c := byte('0'); c <= '9'; c++ {
		lowerToken[c], inPath[c], inHost[c], hexadecimal[c] = c, true, true, true
	}
	for c := byte('a'); c <= 'z'; c++ {
		upper := c - 'a' + 'A'
		lowerToken[c], lowerToken[upper] = c, c
		inPath[c], inPath[upper], inHost[c], inHost[upper] = true, true, true, true
		hexadecimal[c], hexadecimal[upper] = c <= 'f', c <= 'f'
	}
	for _, c := range []byte("!#$%&'*+-.^`|~") {
		lowerToken[c] = c
	}
	for _, c := range []byte("/-._~!$&'()*+,;=:@") {
		inPath[c] = true
	}
	for _, c := range []byte("-.:[]") {
		inHost[c] = true
	}
	inValue['\t'] = true
	for c := ' '; c <= 0xff; c++ {
		inValue[c] = c != 0x7f
	}
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
