package field

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pandobase/pando"
)

// Check says what is wrong with v, a value of f as [Cast] makes it; nil if
// nothing is. A password is checked as plain text. What needs a database or the
// content of a file is not checked here.
func Check(f *pando.Field, v any) *pando.FieldError { return kindOf(f.Type).check(f, v) }

// required is the error of an empty value of f, nil if f may be empty.
func required(f *pando.Field) *pando.FieldError {
	if f.Required {
		return Blank()
	}
	return nil
}

// Sentence makes a message of text that may hold what a user sent: no space
// around it, a capital in front and punctuation at the end.
func Sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(r)) + s[n:]
	if !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	return s
}
