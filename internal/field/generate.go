package field

import (
	crand "crypto/rand"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"regexp/syntax"
	"strings"

	"github.com/pandobase/pando"
)

// IDPattern is what ids are generated from unless a collection says otherwise.
const IDPattern = "[a-z0-9]{15}"

// maxRepeat bounds what *, + and {n,} stand for in a generated text.
const maxRepeat = 10

// maxGenerated bounds the length of a generated text, in bytes: {1000}{1000} is a
// short pattern.
const maxGenerated = 1 << 16

// Generate makes a random text that matches pattern, a regular expression. The
// error says what the pattern has that no text can be made of: word boundaries,
// and characters that no text has. An empty pattern makes an empty text.
func Generate(pattern string) (string, error) {
	switch pattern {
	case "":
		return "", nil
	case IDPattern:
		return pando.NewID(), nil
	}
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", fmt.Errorf("the pattern to generate from: %w", err)
	}
	var b strings.Builder
	if err := generate(&b, re); err != nil {
		return "", fmt.Errorf("the pattern %q cannot be generated from: %w", pattern, err)
	}
	return b.String(), nil
}

func generate(b *strings.Builder, re *syntax.Regexp) error {
	if b.Len() > maxGenerated {
		return fmt.Errorf("makes more than %d bytes", maxGenerated)
	}
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine:
		return nil
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
		return nil
	case syntax.OpCharClass:
		return generateClass(b, re.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte(byte(' ' + below('~'-' '+1)))
		return nil
	case syntax.OpCapture:
		return generate(b, re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if err := generate(b, sub); err != nil {
				return err
			}
		}
		return nil
	case syntax.OpAlternate:
		return generate(b, re.Sub[below(len(re.Sub))])
	case syntax.OpStar:
		return repeat(b, re.Sub[0], 0, maxRepeat)
	case syntax.OpPlus:
		return repeat(b, re.Sub[0], 1, maxRepeat)
	case syntax.OpQuest:
		return repeat(b, re.Sub[0], 0, 1)
	case syntax.OpRepeat:
		most := re.Max
		if most < 0 {
			most = re.Min + maxRepeat
		}
		return repeat(b, re.Sub[0], re.Min, most)
	}
	return fmt.Errorf("no text can be made of %q", re)
}

func repeat(b *strings.Builder, re *syntax.Regexp, least, most int) error {
	for range least + below(most-least+1) {
		if err := generate(b, re); err != nil {
			return err
		}
	}
	return nil
}

// generateClass draws from the ranges of a character class, each character
// equally likely. Of a class with printable ASCII, only that is drawn: [^a]
// means a readable character.
func generateClass(b *strings.Builder, ranges []rune) error {
	ascii := clip(ranges, ' ', '~')
	if len(ascii) > 0 {
		ranges = ascii
	}
	total := 0
	for i := 0; i < len(ranges); i += 2 {
		total += int(ranges[i+1]-ranges[i]) + 1
	}
	if total == 0 {
		return fmt.Errorf("a class has no characters")
	}
	n := rune(below(total))
	for i := 0; i < len(ranges); i += 2 {
		size := ranges[i+1] - ranges[i] + 1
		if n < size {
			b.WriteRune(ranges[i] + n)
			return nil
		}
		n -= size
	}
	return nil
}

// clip is the part of ranges that lies between lo and hi.
func clip(ranges []rune, lo, hi rune) []rune {
	var out []rune
	for i := 0; i < len(ranges); i += 2 {
		if a, z := max(ranges[i], lo), min(ranges[i+1], hi); a <= z {
			out = append(out, a, z)
		}
	}
	return out
}

// below draws 0 ≤ n < limit, each equally likely.
func below(limit int) int { return random.IntN(limit) }

// random draws from the system's source: token keys are made here, and nobody
// may foretell one from another.
var random = rand.New(systemSource{})

type systemSource struct{}

func (systemSource) Uint64() uint64 {
	var b [8]byte
	crand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}
