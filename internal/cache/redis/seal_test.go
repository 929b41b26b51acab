package redis

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/position"
)

// TestSeal: the cipher is the one of the specification, by its test vectors.
func TestSeal(t *testing.T) {
	for _, v := range []struct {
		key      byte
		ad, want string
	}{
		{1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		s, err := newSealer(bytes.Repeat([]byte{v.key}, 32))
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := hex.DecodeString(v.want)
		if err != nil {
			t.Fatal(err)
		}
		text, err := s.open(append([]byte("ABCDEFGHIJKLMNOPQRSTUVWX"), sealed...), []byte(v.ad))
		if err != nil || string(text) != "XAES-256-GCM" {
			t.Errorf("the vector of key %d opens to %q, %v", v.key, text, err)
		}
	}
}

// TestNames: what has another database, incarnation, key, secret or format has another
// name; the timeline has no part in it.
func TestNames(t *testing.T) {
	n, _, err := derive([]byte("a secret of the cluster"))
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := derive([]byte("another secret of it"))
	if err != nil {
		t.Fatal(err)
	}
	next, _, err := derive([]byte("a secret of the cluster"))
	if err != nil {
		t.Fatal(err)
	}
	next.format++
	e := position.Epoch{Database: 1, Incarnation: 2, Timeline: 3}
	seen := map[string]string{}
	for what, got := range map[string]name{
		"plain":       n.of(e, []byte("k")),
		"key":         n.of(e, []byte("K")),
		"database":    n.of(position.Epoch{Database: 2, Incarnation: 2, Timeline: 3}, []byte("k")),
		"incarnation": n.of(position.Epoch{Database: 1, Incarnation: 3, Timeline: 3}, []byte("k")),
		"secret":      other.of(e, []byte("k")),
		"format":      next.of(e, []byte("k")),
	} {
		if !strings.HasPrefix(got.text, prefix) || len(got.text) != len("pando:12345678:1234567890123456789012") {
			t.Errorf("%s: the name is %q", what, got.text)
		}
		if also, ok := seen[got.text]; ok {
			t.Errorf("%s and %s share a name", what, also)
		}
		seen[got.text] = what
	}
	if n.of(e, []byte("k")) != n.of(position.Epoch{Database: 1, Incarnation: 2, Timeline: 9}, []byte("k")) {
		t.Error("another timeline has another name")
	}
	if _, _, err := derive([]byte("too short")); err == nil {
		t.Error("a short secret is taken")
	}
}
