package collections

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is one word or sign of SQL.
type token struct {
	text  string
	depth int  // brackets around it; a bracket counts itself as outside
	ident bool // a name, quoted or not; keywords are names as well
	space bool // space stood before it
}

func (t token) is(keyword string) bool { return t.ident && strings.EqualFold(t.text, keyword) }

// name is the identifier without its quotes.
func (t token) name() string {
	if len(t.text) > 1 && strings.ContainsRune("`\"[", rune(t.text[0])) {
		closing := t.text[len(t.text)-1:]
		return strings.ReplaceAll(t.text[1:len(t.text)-1], closing+closing, closing)
	}
	return t.text
}

// compound tells whether t joins two SELECTs into one.
func (t token) compound() bool { return t.is("union") || t.is("intersect") || t.is("except") }

// words is tokens as one text.
func words(toks []token) string {
	var b strings.Builder
	for i, t := range toks {
		if i > 0 && t.space {
			b.WriteByte(' ')
		}
		b.WriteString(t.text)
	}
	return b.String()
}

func (t token) literal() bool {
	return t.text[0] == '\'' || t.text[0] >= '0' && t.text[0] <= '9'
}

// reserved tells whether t can follow a table without being its alias.
func (t token) reserved() bool {
	switch strings.ToLower(t.text) {
	case "join", "left", "right", "inner", "outer", "cross", "full", "natural", "on", "using", "where", "group", "order",
		"having", "limit", "union", "intersect", "except", "window", "indexed", "not":
		return true
	}
	return false
}

// tokens splits SQL. It never fails: what it does not know is a sign.
func tokens(s string) []token {
	var out []token
	depth, space := 0, false
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		end := i + n
		ident := false
		switch {
		case unicode.IsSpace(r):
			space, i = true, end
			continue
		case strings.HasPrefix(s[i:], "--"):
			space, i = true, after(s, i, "\n")
			continue
		case strings.HasPrefix(s[i:], "/*"):
			space, i = true, after(s, i+2, "*/")
			continue
		case r == '\'':
			end = quotedEnd(s, i, '\'')
		case r == '"' || r == '`':
			end, ident = quotedEnd(s, i, byte(r)), true
		case r == '[':
			end, ident = after(s, i, "]"), true
		case letter(r):
			for end < len(s) {
				r, n := utf8.DecodeRuneInString(s[end:])
				if !letter(r) && (r < '0' || r > '9') {
					break
				}
				end += n
			}
			ident = true
		case r >= '0' && r <= '9':
			for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == '.') {
				end++
			}
		case r == ')' && depth > 0:
			depth--
		}
		out = append(out, token{text: s[i:end], depth: depth, ident: ident, space: space})
		if r == '(' {
			depth++
		}
		space, i = false, end
	}
	return out
}

func letter(r rune) bool { return r == '_' || r == '$' || unicode.IsLetter(r) }

// after is the position behind the next mark, the end of s if there is none.
func after(s string, from int, mark string) int {
	if at := strings.Index(s[from:], mark); at >= 0 {
		return from + at + len(mark)
	}
	return len(s)
}

// quotedEnd is the position behind a quoted text; a doubled quote is part of it.
func quotedEnd(s string, from int, quote byte) int {
	for i := from + 1; i < len(s); i++ {
		if s[i] != quote {
			continue
		}
		if i+1 < len(s) && s[i+1] == quote {
			i++
			continue
		}
		return i + 1
	}
	return len(s)
}
