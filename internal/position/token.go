package position

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Token is a position as clients keep it: with the timeline that it was reached
// on. The zero value is before everything.
type Token struct {
	Timeline uint32 // 0 on one machine
	N        N
}

// Compare orders tokens by time; their texts have the same order.
func (t Token) Compare(u Token) int {
	return cmp.Or(cmp.Compare(t.Timeline, u.Timeline), cmp.Compare(t.N, u.N))
}

// Key signs tokens, so that nobody can present a position that was not given
// out: one far ahead would send every read of its bearer to the primary.
type Key [sha256.Size]byte

// NewKey derives a key from a secret, which may serve other purposes too.
func NewKey(secret []byte) Key {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("pando position token 1"))
	return Key(h.Sum(nil))
}

// start is the text of the zero token. It needs no signature, and is smaller
// than any other text.
const start = "0"

const (
	timelineEnd = 8               // hex digits
	nEnd        = 8 + 1 + 16      // and a dash before
	textLen     = 8 + 1 + 16 + 17 // and a dash and a MAC
)

// Format is the text of t: timeline, position and MAC in hex of fixed width, so
// that of two texts the greater one is the later one. It is "0" for the zero
// token.
func (t Token) Format(key Key) string {
	if t == (Token{}) {
		return start
	}
	var raw [12]byte
	binary.BigEndian.PutUint32(raw[:], t.Timeline)
	binary.BigEndian.PutUint64(raw[4:], uint64(t.N))
	mac := key.mac(raw)
	b := make([]byte, 0, textLen)
	b = append(hex.AppendEncode(b, raw[:4]), '-')
	b = append(hex.AppendEncode(b, raw[4:]), '-')
	return string(hex.AppendEncode(b, mac[:]))
}

// Parse is the token that key's owner has made text of; ok is false if it did
// not, in exactly these characters.
func Parse(key Key, text string) (t Token, ok bool) {
	if text == start {
		return Token{}, true
	}
	if len(text) != textLen || text[timelineEnd] != '-' || text[nEnd] != '-' {
		return Token{}, false
	}
	var raw [12]byte
	var mac [8]byte
	if !unhex(raw[:4], text[:timelineEnd]) || !unhex(raw[4:], text[timelineEnd+1:nEnd]) || !unhex(mac[:], text[nEnd+1:]) {
		return Token{}, false
	}
	if want := key.mac(raw); !hmac.Equal(want[:], mac[:]) {
		return Token{}, false
	}
	t = Token{Timeline: binary.BigEndian.Uint32(raw[:4]), N: N(binary.BigEndian.Uint64(raw[4:]))}
	return t, t != Token{} // which has one text only
}

func (k Key) mac(raw [12]byte) [8]byte {
	h := hmac.New(sha256.New, k[:])
	h.Write(raw[:])
	return [8]byte(h.Sum(nil))
}

// unhex reads lower-case digits only: one token has one text.
func unhex(dst []byte, text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	_, err := hex.Decode(dst, []byte(text))
	return err == nil
}
