package rule

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ganigeorgiev/fexpr"
)

const (
	maxComparisons = 200
	maxDepth       = 64 // of brackets: each level is scanned again
)

// expr is a parsed rule: a comparison, or a list joined by && and ||.
type expr interface{ expr() }

type comparison struct {
	left, right fexpr.Token
	op          string // without the leading ?
	any         bool   // with it
}

// list is a flat list of expressions: alternatives of conjunctions, since &&
// binds tighter than ||.
type list [][]expr

func (*comparison) expr() {}
func (list) expr()        {}

// parse reads the grammar and nothing else: no name is looked up.
func parse(text string) (expr, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("the text is not valid UTF-8")
	}
	if strings.IndexByte(text, 0) >= 0 {
		return nil, errors.New("the text contains a NUL character") // the scanner would end there
	}
	p := parser{}
	return p.list(text, 0)
}

type parser struct{ comparisons int }

// list reads a whole text or the inside of a group.
func (p *parser) list(text string, depth int) (expr, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("more than %d brackets inside one another", maxDepth)
	}
	out := list{nil}
	scanner := fexpr.NewScanner([]byte(text))
	for first := true; ; first = false {
		item, err := p.item(scanner, depth, first)
		if err != nil {
			return nil, err
		}
		out[len(out)-1] = append(out[len(out)-1], item)
		t, err := next(scanner)
		switch {
		case err != nil:
			return nil, err
		case t.Type == fexpr.TokenEOF:
			return simplify(out), nil
		case t.Type != fexpr.TokenJoin:
			return nil, fmt.Errorf("expected && or ||, got %q", t.Literal)
		case t.Literal == "||":
			out = append(out, nil)
		}
	}
}

// simplify takes the brackets off a list of one.
func simplify(l list) expr {
	if len(l) == 1 && len(l[0]) == 1 {
		return l[0][0]
	}
	return l
}

// item reads one group or comparison.
func (p *parser) item(s *fexpr.Scanner, depth int, first bool) (expr, error) {
	t, err := next(s)
	if err != nil {
		return nil, err
	}
	switch t.Type {
	case fexpr.TokenEOF:
		if first {
			return nil, fexpr.ErrEmpty
		}
		return nil, fexpr.ErrIncomplete
	case fexpr.TokenGroup:
		e, err := p.list(t.Literal, depth+1)
		return e, err
	}
	c := &comparison{left: t}
	if err := isOperand(t, "left"); err != nil {
		return nil, err
	}
	if t, err = next(s); err != nil {
		return nil, err
	}
	switch t.Type {
	case fexpr.TokenEOF:
		return nil, fexpr.ErrIncomplete
	case fexpr.TokenSign:
	default:
		return nil, fmt.Errorf("expected a sign operator, got %q", t.Literal)
	}
	c.op, c.any = strings.CutPrefix(t.Literal, "?")
	if c.right, err = next(s); err != nil {
		return nil, err
	}
	if c.right.Type == fexpr.TokenEOF {
		return nil, fexpr.ErrIncomplete
	}
	if err := isOperand(c.right, "right"); err != nil {
		return nil, err
	}
	if p.comparisons++; p.comparisons > maxComparisons {
		return nil, errors.New("max filter expressions limit reached")
	}
	return c, nil
}

// next is the next token that means something.
func next(s *fexpr.Scanner) (fexpr.Token, error) {
	for {
		t, err := s.Scan()
		if err != nil {
			return t, err
		}
		if t.Type != fexpr.TokenWS && t.Type != fexpr.TokenComment {
			return t, nil
		}
	}
}

func isOperand(t fexpr.Token, side string) error {
	switch t.Type {
	case fexpr.TokenIdentifier, fexpr.TokenText, fexpr.TokenNumber, fexpr.TokenFunction:
		return nil
	}
	return fmt.Errorf("expected %s operand (identifier, function, text or number), got %q", side, t.Literal)
}
