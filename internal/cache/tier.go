package cache

import (
	"context"
	"time"

	"github.com/pandobase/pando/internal/position"
)

// Tier keeps facts outside of the process, for all servers of a cluster. It may
// lose, delay, resurrect or reorder them like any cache, and besides be read and
// written by others: it gives out only what a server with the same secret put.
//
// It is there to spare the database questions, so it never costs a request more
// than the database would: what does not answer soon is taken for a miss, and
// what does so often is not asked for a while. No method returns an error. All
// may be called at once.
type Tier interface {
	// Get returns what was put under exactly this key and epoch, nil if there is
	// nothing that can be trusted. Whether it still holds is for the caller to judge.
	Get(ctx context.Context, epoch position.Epoch, key []byte) *Entry
	// Claim is Get, and asks to be the one server that fills the key. mine tells
	// that the caller should: the others are told to wait, for [FillLock] at most
	// or until the caller has called Put or Release. It is true as well if the tier
	// cannot tell.
	Claim(ctx context.Context, epoch position.Epoch, key []byte) (e *Entry, mine bool)
	// Put keeps e, soon, or not at all: it does not wait. A claim of its key ends.
	Put(e *Entry)
	// Release ends a claim without a Put. It does not wait.
	Release(epoch position.Epoch, key []byte)
}

// Located is an ability of some Tiers: to tell which of its servers a key lies on. Who
// asks must do without it as well.
type Located interface {
	// Location is the server's name, "" if there is none.
	Location(epoch position.Epoch, key []byte) string
}

// FillLock is how long one server may keep the others of a cluster from filling
// a key.
const FillLock = 50 * time.Millisecond

// MaxEntry is the size of the largest value that a tier keeps: a larger one is rare, and
// would hold up the others on its way.
const MaxEntry = 1 << 20

// Entry is a fact as a tier keeps it. It is immutable.
type Entry struct {
	Key    string
	Epoch  position.Epoch
	S      position.N
	Tags   []position.Tag
	Search position.Tag // one of Tags, or 0
	Value  []byte       // of the Codec

	// Took is how long the value took to make, for the tier to compare itself
	// with. It is not kept.
	Took time.Duration
}

// Codec turns the values of facts into bytes and back, for a [Tier]. It decides
// what may leave the process: nothing that holds a token key, a hash of a
// password or another secret does, sealed or not.
type Codec interface {
	// Label is what the facts of a key are counted by, the id of a collection.
	// ok is false if they do not leave the process.
	Label(key []byte) (label string, ok bool)
	// Encode is false for a value that does not leave the process.
	Encode(value any) (data []byte, ok bool)
	// Decode makes the value again, with its size in bytes as the fill told it.
	// data is the value's from then on.
	Decode(data []byte) (value any, size int, err error)
	// Differences names what two encoded values of a key differ in, and says nothing of
	// what is in it: it is for logs. nil: nothing that has a name.
	Differences(key, a, b []byte) []string
}
