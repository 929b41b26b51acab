package certs

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
)

// sealVersion begins what is sealed.
const sealVersion = 1

// seal keeps private keys from whoever can read the database, or a backup of it: they
// are encrypted with AES-256-GCM, under a key made of the cluster's secret. The
// entry's key is authenticated with it, so that one cannot be put in place of
// another. Nonces are random: the few entries there are come nowhere near 2^32.
type seal struct{ aead cipher.AEAD }

// KeySize is that of the keys of a shared storage.
const KeySize = 32

func newSeal(key []byte) (seal, error) {
	if len(key) != KeySize {
		return seal{}, fmt.Errorf("certs: a key of %d bytes; it must have %d", len(key), KeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return seal{}, err
	}
	aead, err := cipher.NewGCM(block)
	return seal{aead}, err
}

func (s seal) seal(key string, value []byte) []byte {
	out := make([]byte, 1+s.aead.NonceSize(), 1+s.aead.NonceSize()+len(value)+s.aead.Overhead())
	out[0] = sealVersion
	rand.Read(out[1:]) // it cannot fail
	return s.aead.Seal(out, out[1:], value, []byte(key))
}

func (s seal) open(key string, sealed []byte) ([]byte, bool) {
	head := 1 + s.aead.NonceSize()
	if len(sealed) < head || sealed[0] != sealVersion {
		return nil, false
	}
	value, err := s.aead.Open(nil, sealed[1:head], sealed[head:], []byte(key))
	return value, err == nil
}
