package records

import (
	"encoding/binary"
	"errors"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/cache"
)

// Codec is the cache.Codec of answers, and of nothing else: an answer is what the
// API sends, so it holds neither token keys nor hashes of passwords. What other
// services keep as facts (who a token stands for, where a file lies) holds whole
// records, and does not leave the process.
type Codec struct{}

var _ cache.Codec = Codec{}

// Label is the id of the collection that a key of an answer names. The keys of
// others begin with a word, those of answers with a bool (key.texts).
func (Codec) Label(key []byte) (label string, ok bool) {
	if len(key) < 2 || key[0] > 1 || key[1] > 1 {
		return "", false
	}
	key = key[2:]
	for range 4 { // sort, filter, expand, fields
		if _, key, ok = cutText(key); !ok {
			return "", false
		}
	}
	_, n := binary.Varint(key) // the version of the catalog
	if n <= 0 {
		return "", false
	}
	id, _, ok := cutText(key[n:])
	return string(id), ok
}

// cutText is the text that key begins with, and what follows.
func cutText(key []byte) (text, rest []byte, ok bool) {
	size, n := binary.Uvarint(key)
	if n <= 0 || size > uint64(len(key)-n) {
		return nil, nil, false
	}
	key = key[n:]
	return key[:size], key[size:], true
}

// The first byte of an encoded answer; the body or the message follows.
const (
	encodedBody byte = iota
	encodedEmptyPage
	encodedNotFound
)

// Encode implements cache.Codec.
func (Codec) Encode(value any) (data []byte, ok bool) {
	a, ok := value.(*answer)
	if !ok {
		return nil, false
	}
	switch {
	case a.err != nil:
		if a.err.Kind != pando.KindNotFound || len(a.err.Data) > 0 {
			return nil, false
		}
		return append([]byte{encodedNotFound}, a.err.Message...), true // the cause is for the log of who found it
	case a.empty:
		return append([]byte{encodedEmptyPage}, a.body...), true
	default:
		return append([]byte{encodedBody}, a.body...), true
	}
}

// Decode implements cache.Codec.
func (Codec) Decode(data []byte) (value any, size int, err error) {
	if len(data) == 0 {
		return nil, 0, errNoAnswer
	}
	var a *answer
	switch text := data[1:]; data[0] {
	case encodedBody, encodedEmptyPage:
		a = &answer{body: pando.Answer(text), empty: data[0] == encodedEmptyPage}
	case encodedNotFound:
		a = &answer{err: &pando.Error{Kind: pando.KindNotFound, Message: string(text)}}
	default:
		return nil, 0, errNoAnswer
	}
	return a, a.size(false), nil
}

var errNoAnswer = errors.New("records: these are not the bytes of an answer")
