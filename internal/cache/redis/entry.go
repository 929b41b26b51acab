package redis

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/position"
)

// An entry as it lies on a server:
//
//	format     1 byte
//	flags      1
//	database   8     the epoch; these four are in the open, and
//	incarnation 8    sealed with the rest as associated data,
//	timeline   4     the key behind them
//	nonce     24
//	sealed: S, number of tags, tags, which of them is Search + 1 (0: none), value
//
// Numbers are little-endian, those without a size varints.
const (
	headSize       = 22
	flagCompressed = 1
)

// minCompress is the size from which compression is tried.
const minCompress = 1 << 10

var (
	errFormat = errors.New("it has another format")
	errEpoch  = errors.New("it is of another epoch")
)

// packer compresses and seals entries. It is shared.
type packer struct {
	sealer *sealer
	encode *zstd.Encoder
	decode *zstd.Decoder
}

func newPacker(s *sealer) (*packer, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(256<<10), zstd.WithEncoderCRC(false)) // what is sealed needs no sum
	if err != nil {
		return nil, err
	}
	// Concurrency 0 is that of the machine: Gets do not wait for each other.
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(4*cache.MaxEntry))
	if err != nil {
		return nil, err
	}
	return &packer{s, e, d}, nil
}

// close ends the compressor's own goroutines.
func (p *packer) close() {
	_ = p.encode.Close()
	p.decode.Close()
}

// pack is the bytes of e.
func (p *packer) pack(e *cache.Entry) ([]byte, error) {
	head := make([]byte, 0, headSize+len(e.Key))
	head = append(head, format, 0)
	head = binary.LittleEndian.AppendUint64(head, e.Epoch.Database)
	head = binary.LittleEndian.AppendUint64(head, e.Epoch.Incarnation)
	head = binary.LittleEndian.AppendUint32(head, e.Epoch.Timeline)

	text := make([]byte, 0, 32+8*len(e.Tags)+len(e.Value))
	text = binary.AppendUvarint(text, uint64(e.S))
	text = binary.AppendUvarint(text, uint64(len(e.Tags)))
	for _, t := range e.Tags {
		text = binary.LittleEndian.AppendUint64(text, uint64(t))
	}
	search := -1
	if e.Search != 0 {
		search = slices.Index(e.Tags, e.Search)
	}
	text = binary.AppendUvarint(text, uint64(search+1))
	value := len(text)
	text = append(text, e.Value...)
	if len(e.Value) >= minCompress {
		// The tags are hashes: there is nothing to compress in them.
		packed := p.encode.EncodeAll(e.Value, append(make([]byte, 0, len(text)), text[:value]...))
		if len(packed) < len(text)-len(e.Value)/8 {
			text = packed
			head[1] |= flagCompressed
		}
	}
	out := append(make([]byte, 0, headSize+nonceSize+len(text)+tagSize), head...)
	return p.sealer.seal(out, text, append(head, e.Key...))
}

// unpack is the entry of key in epoch that data is the bytes of.
func (p *packer) unpack(data []byte, epoch position.Epoch, key []byte) (*cache.Entry, error) {
	if len(data) < headSize || data[0] != format || data[1]&^flagCompressed != 0 {
		return nil, errFormat
	}
	ad := append(append(make([]byte, 0, headSize+len(key)), data[:headSize]...), key...)
	text, err := p.sealer.open(data[headSize:], ad)
	if err != nil {
		return nil, err
	}
	// After the seal, so that only a real one counts as old.
	if !mutant.EpochIgnored && epoch != (position.Epoch{
		Database:    binary.LittleEndian.Uint64(data[2:]),
		Incarnation: binary.LittleEndian.Uint64(data[10:]),
		Timeline:    binary.LittleEndian.Uint32(data[18:]),
	}) {
		return nil, errEpoch
	}
	e := &cache.Entry{Key: string(key), Epoch: epoch}
	if err := readHead(e, &text); err != nil {
		return nil, err
	}
	e.Value = text
	if data[1]&flagCompressed != 0 {
		if e.Value, err = p.decode.DecodeAll(text, nil); err != nil {
			return nil, errFormat
		}
	}
	return e, nil
}

// readHead reads what precedes the value.
func readHead(e *cache.Entry, text *[]byte) error {
	s, ok1 := uvarint(text)
	n, ok2 := uvarint(text)
	if !ok1 || !ok2 || n > uint64(len(*text)/8) {
		return errFormat
	}
	e.S = position.N(s)
	e.Tags = make([]position.Tag, n)
	for i := range e.Tags {
		e.Tags[i] = position.Tag(binary.LittleEndian.Uint64((*text)[8*i:]))
	}
	*text = (*text)[8*n:]
	search, ok := uvarint(text)
	if !ok || search > n {
		return errFormat
	}
	if search > 0 {
		e.Search = e.Tags[search-1]
	}
	return nil
}

func uvarint(b *[]byte) (uint64, bool) {
	v, n := binary.Uvarint(*b)
	if n <= 0 {
		return 0, false
	}
	*b = (*b)[n:]
	return v, true
}
