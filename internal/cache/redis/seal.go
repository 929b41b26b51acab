package redis

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"sync"

	"golang.org/x/crypto/blake2b"

	"github.com/pandobase/pando/internal/neighbour"
	"github.com/pandobase/pando/internal/position"
)

// prefix begins the names of all keys: an ACL allows it to a user.
const prefix = "pando:"

// Format is the version of facts, of their encoding and of what their keys mean
// (TestLayout, and TestEncoding of internal/records). It is part of every name:
// versions of Pando that differ in it share the servers, and see nothing of each other.
const Format = 1

// format is Format, unless this is taken for another version.
var format = byte(cmp.Or(neighbour.Tier, Format))

// minSecret is what a cluster's secret must have.
const minSecret = 16

// names gives keys their names.
type names struct {
	format byte
	hashes sync.Pool
}

// sealer seals entries and opens them.
type sealer struct {
	block cipher.Block
	k1    [aes.BlockSize]byte
}

// derive makes both from the cluster's secret.
func derive(secret []byte) (*names, *sealer, error) {
	if len(secret) < minSecret {
		return nil, nil, fmt.Errorf("cache: the cluster's secret has %d bytes; it needs %d", len(secret), minSecret)
	}
	nameKey, err := hkdf.Key(sha256.New, secret, nil, "pando cache tier: names", 32)
	if err != nil {
		return nil, nil, err
	}
	sealKey, err := hkdf.Key(sha256.New, secret, nil, "pando cache tier: seals", 32)
	if err != nil {
		return nil, nil, err
	}
	s, err := newSealer(sealKey)
	if err != nil {
		return nil, nil, err
	}
	return &names{format, sync.Pool{New: func() any {
		h, err := blake2b.New(16, nameKey)
		if err != nil {
			panic(err) // a wrong length of the key
		}
		return h
	}}}, s, nil
}

// name is where the fact of a key lies. The timeline is not in it, so that a
// failover does not leave a second copy of everything behind.
type name struct {
	sum  [16]byte
	text string
}

func (n *names) of(epoch position.Epoch, key []byte) name {
	h := n.hashes.Get().(hash.Hash)
	defer n.hashes.Put(h)
	var space [17]byte
	space[0] = n.format
	binary.LittleEndian.PutUint64(space[1:], epoch.Database)
	binary.LittleEndian.PutUint64(space[9:], epoch.Incarnation)
	var out name
	h.Reset()
	h.Write(space[:])
	h.Sum(out.sum[:0])
	// pando:<6 bytes of the namespace>:<16 bytes of the key in it>
	b := append(make([]byte, 0, len(prefix)+8+1+22), prefix...)
	b = base64.RawURLEncoding.AppendEncode(b, out.sum[:6])
	b = append(b, ':')
	h.Write(key)
	h.Sum(out.sum[:0])
	b = base64.RawURLEncoding.AppendEncode(b, out.sum[:])
	out.text = string(b)
	return out
}

// Sealing is XAES-256-GCM (c2sp.org/XAES-256-GCM): AES-256-GCM under a key that
// is derived from the long one and half of a nonce of 24 bytes. With the 12 bytes
// of GCM alone, random nonces may be used for 2^32 entries, which a busy cluster
// writes within a week.
const (
	nonceSize = 24
	tagSize   = 16
)

func newSealer(key []byte) (*sealer, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	s := &sealer{block: block}
	block.Encrypt(s.k1[:], s.k1[:])
	var msb byte
	for i := len(s.k1) - 1; i >= 0; i-- {
		msb, s.k1[i] = s.k1[i]>>7, s.k1[i]<<1|msb
	}
	s.k1[len(s.k1)-1] ^= msb * 0b10000111
	return s, nil
}

// under is the AEAD of the first half of a nonce.
func (s *sealer) under(nonce []byte) (cipher.AEAD, error) {
	var key [32]byte
	for i := range 2 {
		m := key[i*aes.BlockSize : (i+1)*aes.BlockSize]
		copy(m, []byte{0, byte(i + 1), 'X', 0})
		copy(m[4:], nonce[:12])
		for j := range m {
			m[j] ^= s.k1[j]
		}
		s.block.Encrypt(m, m)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal appends a nonce and text, sealed, to dst.
func (s *sealer) seal(dst, text, data []byte) ([]byte, error) {
	var nonce [nonceSize]byte
	_, _ = rand.Read(nonce[:]) // it never fails
	aead, err := s.under(nonce[:])
	if err != nil {
		return nil, err
	}
	return aead.Seal(append(dst, nonce[:]...), nonce[12:], text, data), nil
}

var errForged = errors.New("it was not sealed by this cluster, under this key")

// open is the text of what seal appended.
func (s *sealer) open(sealed, data []byte) ([]byte, error) {
	if len(sealed) < nonceSize+tagSize {
		return nil, errForged
	}
	aead, err := s.under(sealed)
	if err != nil {
		return nil, err
	}
	text, err := aead.Open(nil, sealed[12:nonceSize], sealed[nonceSize:], data)
	if err != nil {
		return nil, errForged
	}
	return text, nil
}
