package pando

import "crypto/rand"

// IDLength is the length of a generated record id.
const IDLength = 15

const idAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

// NewID is a random record id: 15 characters of [a-z0-9], 77 bits.
func NewID() string { return RandomString(IDLength, idAlphabet) }

// RandomString draws n characters of alphabet (at most 256 characters) from the
// operating system's random source, each equally likely.
func RandomString(n int, alphabet string) string {
	// Bytes at or above the greatest multiple of len(alphabet) would favour its
	// first characters, so they are drawn again.
	limit := 256 - 256%len(alphabet)
	out := make([]byte, 0, n)
	var buf [64]byte
	for len(out) < n {
		rand.Read(buf[:])
		for _, b := range buf {
			if int(b) < limit && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out)
}
