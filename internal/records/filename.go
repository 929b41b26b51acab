package records

import (
	"path/filepath"
	"strings"
	"unicode"

	"github.com/pandobase/pando"
)

const (
	maxFileStem      = 100 // characters
	maxFileExtension = 20  // characters, the dots not counted in
	minFileStem      = 3
	fileSuffix       = 10
	fileAlphabet     = "abcdefghijklmnopqrstuvwxyz0123456789"
)

// fileName is a new name to store a file under: what the client called it in
// snake case, ten random characters so that no two files share a name and none
// can be guessed, and its extension; that of its content, detected, if the
// client gave none.
func fileName(original, detected string) string {
	stem, extension := splitName(original)
	if extension == "" {
		extension = detected
	}
	stem = snakeCase(stem)
	if len(stem) < minFileStem {
		stem += pando.RandomString(fileSuffix, fileAlphabet)
	}
	return stem[:min(len(stem), maxFileStem)] + "_" + pando.RandomString(fileSuffix, fileAlphabet) + extension
}

// splitName parts a name from its extension, which may be a double one
// (".tar.gz").
func splitName(name string) (stem, extension string) {
	last := filepath.Ext(name)
	stem = strings.TrimSuffix(name, last)
	first := filepath.Ext(stem)
	stem = strings.TrimSuffix(stem, first)
	return stem, cleanExtension(first + last)
}

// cleanExtension leaves letters, digits, underscores and the dots between them.
func cleanExtension(s string) string {
	var b strings.Builder
	n := 0
	for _, part := range strings.Split(s, ".") {
		dot := true
		for _, c := range part {
			if !isWord(c) || n >= maxFileExtension {
				continue
			}
			if dot {
				b.WriteByte('.')
				dot = false
			}
			b.WriteRune(c)
			n++
		}
	}
	return b.String()
}

func isWord(c rune) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// snakeCase writes the words of s in lower case with underscores between them.
// Anything but ASCII letters and digits parts words, and so does a capital
// behind a small letter.
func snakeCase(s string) string {
	var b strings.Builder
	gap := false
	previous := ' '
	for _, c := range s {
		if c == '_' || !isWord(c) {
			gap, previous = true, ' '
			continue
		}
		if unicode.IsUpper(c) && previous != ' ' && !unicode.IsUpper(previous) {
			gap = true
		}
		if gap && b.Len() > 0 {
			b.WriteByte('_')
		}
		gap, previous = false, c
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
