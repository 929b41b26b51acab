package cluster

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"

	"golang.org/x/crypto/scrypt"

	"github.com/pandobase/pando"
)

// Secret is what the servers of a cluster share, and nobody else knows. It never
// travels, and nothing that does lets anybody try guesses at it cheaply: all that is
// made of it is made of what a slow function makes of it.
type Secret struct {
	keys [][]byte // what we present, and in a rotation what we accept beside it
}

// secretLength is the fewest characters of a secret.
const secretLength = 16

// What one guess costs: 32 MB and about a tenth of a second.
const (
	scryptN    = 1 << 15
	scryptR    = 8
	scryptP    = 1
	scryptSalt = "pando-cluster/1"
)

// NewSecret takes a secret, or two, separated by a comma or a space, while one takes
// the other's place: the first is the one that we show, both are accepted. It takes
// a noticeable time.
func NewSecret(text string) (*Secret, error) {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' })
	if len(words) == 0 || len(words) > 2 {
		return nil, invalid("The cluster's secret must be one word, or two while it is changed (the new one and the old one, with a comma between); there are %d.", len(words))
	}
	s := new(Secret)
	for _, word := range words {
		if len(word) < secretLength {
			return nil, invalid("The cluster's secret must have at least %d characters; one has %d. `openssl rand -hex 32` makes a good one.", secretLength, len(word))
		}
		key, err := scrypt.Key([]byte(word), []byte(scryptSalt), scryptN, scryptR, scryptP, sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("cluster: secret: %w", err)
		}
		s.keys = append(s.keys, key)
	}
	return s, nil
}

func invalid(format string, args ...any) error {
	return &pando.Error{Kind: pando.KindInvalid, Message: fmt.Sprintf(format, args...)}
}

// Key is a key for one purpose, of size bytes: the same on every server.
func (s *Secret) Key(purpose string, size int) []byte { return derive(s.keys[0], purpose, size) }

// Keys are those for one purpose that are accepted: of the secret that we show, and
// of the one beside it.
func (s *Secret) Keys(purpose string, size int) [][]byte {
	keys := make([][]byte, len(s.keys))
	for i, key := range s.keys {
		keys[i] = derive(key, purpose, size)
	}
	return keys
}

// Proof goes into the database, so that a server with another secret is told so
// rather than left alone.
func (s *Secret) Proof(database string) string {
	return hex.EncodeToString(derive(s.keys[0], "proof of "+database, 16))
}

// Proves tells whether a proof was made with a secret that is accepted here.
func (s *Secret) Proves(proof, database string) bool {
	for _, key := range s.keys {
		want := hex.EncodeToString(derive(key, "proof of "+database, 16))
		if subtle.ConstantTimeCompare([]byte(proof), []byte(want)) == 1 {
			return true
		}
	}
	return false
}

func derive(key []byte, purpose string, size int) []byte {
	out, err := hkdf.Expand(sha256.New, key, "pando "+purpose, size)
	if err != nil {
		panic("cluster: " + err.Error()) // only if size is absurd
	}
	return out
}
