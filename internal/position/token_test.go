package position_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/position"
)

var key = position.NewKey([]byte("a secret"))

func TestTokenText(t *testing.T) {
	tok := position.Token{Timeline: 3, N: 0x16B374D848}
	text := tok.Format(key)
	if !strings.HasPrefix(text, "00000003-00000016b374d848-") || len(text) != 42 {
		t.Errorf("text %q", text)
	}
	if got, ok := position.Parse(key, text); !ok || got != tok {
		t.Errorf("Parse = %v, %v; want %v", got, ok, tok)
	}
	if text != tok.Format(position.NewKey([]byte("a secret"))) {
		t.Error("the same secret makes another key")
	}
	if got, ok := position.Parse(key, "0"); !ok || got != (position.Token{}) || got.Format(key) != "0" {
		t.Errorf("the beginning: %v, %v, %q", got, ok, got.Format(key))
	}
}

func TestTokenTextsAreInOrder(t *testing.T) {
	toks := []position.Token{{}, {N: 1}, {N: math.MaxUint64}, {Timeline: 1}, {Timeline: 1, N: 9}, {Timeline: 1, N: 10},
		{Timeline: 2, N: 3}, {Timeline: math.MaxUint32, N: 1}}
	var texts []string
	for i, tok := range toks {
		texts = append(texts, tok.Format(key))
		if i > 0 && toks[i-1].Compare(tok) >= 0 {
			t.Errorf("%v is not later than %v", tok, toks[i-1])
		}
	}
	if !slices.IsSorted(texts) {
		t.Errorf("not in order: %q", texts)
	}
}

func TestForgedTokens(t *testing.T) {
	good := position.Token{Timeline: 3, N: 77}.Format(key)
	forged := []string{"", "00", "1", " 0", good + " ", good[1:], strings.ToUpper(good), strings.Replace(good, "-", "_", 1),
		position.Token{Timeline: 3, N: 77}.Format(position.NewKey([]byte("another"))),
		strings.Repeat("x", 42), strings.Repeat("é", 21), "00000000-0000000000000000-0000000000000000"}
	for i := range good { // any digit but one
		if good[i] != '-' {
			b := []byte(good)
			b[i] = "01"[b2i(b[i] == '0')]
			forged = append(forged, string(b))
		}
	}
	for _, text := range forged {
		if tok, ok := position.Parse(key, text); ok {
			t.Errorf("%q is taken for %v", text, tok)
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// What is a token has one text, and anything else is refused without harm.
func FuzzToken(f *testing.F) {
	f.Add("0", uint32(0), uint64(0))
	f.Add(position.Token{Timeline: 1, N: 2}.Format(key), uint32(1), uint64(1<<63))
	f.Add("00000001-0000000000000002-0000000000000000", uint32(math.MaxUint32), uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, text string, timeline uint32, n uint64) {
		if tok, ok := position.Parse(key, text); ok && tok.Format(key) != text {
			t.Errorf("%q is %v, whose text is %q", text, tok, tok.Format(key))
		}
		tok := position.Token{Timeline: timeline, N: position.N(n)}
		got, ok := position.Parse(key, tok.Format(key))
		if !ok || got != tok {
			t.Errorf("%v comes back as %v, %v", tok, got, ok)
		}
		if tok != (position.Token{}) && tok.Format(key) <= position.Token.Format(position.Token{}, key) {
			t.Errorf("%q is not after the beginning", tok.Format(key))
		}
	})
}

func TestSession(t *testing.T) {
	var none *position.Session
	none.Observe(position.Token{N: 1})
	if _, ok := none.Require(); ok || none.Observed() != (position.Token{}) {
		t.Error("a request without a session requires something")
	}
	if position.SessionOf(t.Context()) != nil {
		t.Error("a session out of nothing")
	}
	s := position.NewSession(position.Token{Timeline: 1, N: 5})
	ctx := position.WithSession(context.Background(), s)
	if tok, ok := position.SessionOf(ctx).Require(); !ok || tok.N != 5 {
		t.Errorf("Require = %v, %v", tok, ok)
	}
	if _, ok := position.NewSession(position.Token{}).Require(); ok {
		t.Error("the beginning requires something")
	}
	for _, tok := range []position.Token{{Timeline: 1, N: 9}, {Timeline: 2, N: 3}, {Timeline: 1, N: 12}} {
		position.SessionOf(ctx).Observe(tok)
	}
	if got := s.Observed(); got != (position.Token{Timeline: 2, N: 3}) {
		t.Errorf("Observed = %v, want that of the later timeline", got)
	}
}
