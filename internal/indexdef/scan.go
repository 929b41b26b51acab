package indexdef

import (
	"fmt"
	"strings"
)

// token is one word, quoted name, text or sign of a statement.
type token struct {
	kind kind
	text string // as written
	name string // words and quoted names: without quotes
	gap  bool   // blanks or a comment stood before it
}

type kind uint8

const (
	end kind = iota
	word
	quoted // "x", `x`, [x]
	text   // 'x'
	number
	sign
)

// scan splits a statement into tokens. Comments count as blanks.
func scan(s string) ([]token, error) {
	var out []token
	gap := false
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f':
			i, gap = i+1, true
			continue
		case c == 0:
			return nil, fmt.Errorf("a NUL byte at position %d", i)
		case strings.HasPrefix(s[i:], "--"):
			n := strings.IndexByte(s[i:], '\n')
			if n < 0 {
				n = len(s) - i
			}
			i, gap = i+n, true
			continue
		case strings.HasPrefix(s[i:], "/*"):
			n := strings.Index(s[i+2:], "*/")
			if n < 0 {
				return nil, fmt.Errorf("the comment at position %d has no end", i)
			}
			i, gap = i+n+4, true
			continue
		}
		t, n, err := next(s, i)
		if err != nil {
			return nil, err
		}
		t.text, t.gap = s[i:n], gap
		out = append(out, t)
		i, gap = n, false
	}
	return out, nil
}

// next is the token that begins at s[i], and where it ends.
func next(s string, i int) (token, int, error) {
	c := s[i]
	switch {
	case c == '\'' || c == '"' || c == '`' || c == '[':
		name, n := unquote(s[i:])
		if n == 0 {
			return token{}, 0, fmt.Errorf("the quote %c at position %d has no end", c, i)
		}
		k := quoted
		if c == '\'' {
			k = text
		}
		return token{kind: k, name: name}, i + n, nil
	case isLetter(c):
		n := i
		for n < len(s) && (isLetter(s[n]) || isDigit(s[n])) {
			n++
		}
		return token{kind: word, name: s[i:n]}, n, nil
	case isDigit(c):
		n := i
		for n < len(s) && (isLetter(s[n]) || isDigit(s[n]) || s[n] == '.') {
			n++
		}
		return token{kind: number}, n, nil
	}
	return token{kind: sign}, i + 1, nil
}

// unquote reads the quoted text that s begins with: its meaning and its length
// as written, 0 if the closing quote is missing.
func unquote(s string) (string, int) {
	closing := s[0]
	if closing == '[' {
		n := strings.IndexByte(s, ']')
		if n < 0 {
			return "", 0
		}
		return s[1:n], n + 1
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != closing {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == closing { // doubled: the quote itself
			b.WriteByte(closing)
			i++
			continue
		}
		return b.String(), i + 1
	}
	return "", 0
}

func isLetter(c byte) bool {
	return c == '_' || c == '$' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
