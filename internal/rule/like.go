package rule

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// pattern makes a LIKE pattern, with \ as the escape character, of the right
// side of ~. A text with a % of its own is a pattern already; any other is
// looked for anywhere.
func pattern(v Value) string {
	s := v.s
	switch v.kind {
	case kindInt:
		s = strconv.FormatInt(v.n, 10)
	case kindReal:
		s = strconv.FormatFloat(v.f, 'f', -1, 64) // ~ 12 looks for "12", not "12.0"
	}
	if hasWildcard(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	b.WriteByte('%')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`\%_`, s[i+1]) >= 0:
			b.WriteByte(c) // escaped by the user
			i++
			b.WriteByte(s[i])
		case c == '\\' || c == '_':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('%')
	return b.String()
}

// hasWildcard tells whether s has a % without a \ before it.
func hasWildcard(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '%':
			return true
		}
	}
	return false
}

// like is SQL's s LIKE p ESCAPE '\': % is any text, _ any one character, ASCII
// letters match in any case.
func like(s, p string) bool {
	// Greedy with one point to fall back to: the last % seen. The text is never
	// scanned again before it, so the cost stays within len(s)*len(p).
	backP, backS := -1, 0
	i, j := 0, 0
	for i < len(s) {
		if j < len(p) && p[j] == '%' {
			backP, backS = j+1, i
			j++
			continue
		}
		if n, m := likeOne(s[i:], p[j:]); n > 0 {
			i, j = i+n, j+m
			continue
		}
		if backP < 0 {
			return false
		}
		_, n := utf8.DecodeRuneInString(s[backS:])
		backS += n
		i, j = backS, backP
	}
	for j < len(p) && p[j] == '%' {
		j++
	}
	return j == len(p)
}

// likeOne matches one character: how many bytes of s and of p it took, 0 if it
// does not match.
func likeOne(s, p string) (int, int) {
	if p == "" {
		return 0, 0
	}
	skip := 0
	switch {
	case p[0] == '_':
		_, n := utf8.DecodeRuneInString(s)
		return n, 1
	case p[0] == '\\':
		if len(p) == 1 {
			return 0, 0
		}
		skip = 1
	}
	a, b := s[0], p[skip]
	if a < utf8.RuneSelf || b < utf8.RuneSelf {
		if fold(a) == fold(b) {
			return 1, skip + 1
		}
		return 0, 0
	}
	r, n := utf8.DecodeRuneInString(s)
	q, m := utf8.DecodeRuneInString(p[skip:])
	if r == q {
		return n, skip + m
	}
	return 0, 0
}

func fold(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
