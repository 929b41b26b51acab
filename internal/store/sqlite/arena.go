package sqlite

import (
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
)

// arenaChunk is the usual size of a chunk in bytes: the values of a small
// record.
const arenaChunk = 8 << 10

// arena is memory outside Go's heap for the texts bound to a statement that is
// about to run. SQLite reads them in place: one copy, and nothing to free one
// by one: it is all taken back when no statement runs any more.
type arena struct {
	chunk uintptr
	size  int
	used  int
	full  []uintptr // earlier chunks of the same statement
}

// put copies text into the arena. The address is good until reset.
func (a *arena) put(tls *libc.TLS, text string) uintptr {
	if len(text) > a.size-a.used || a.chunk == 0 {
		if a.chunk != 0 {
			a.full = append(a.full, a.chunk)
		}
		a.size = max(arenaChunk, len(text))
		a.chunk = libc.Xmalloc(tls, types.Size_t(a.size))
		a.used = 0
		if a.chunk == 0 {
			panic("sqlite: out of memory")
		}
	}
	address := a.chunk + uintptr(a.used)
	copy(bytesAt(address, len(text)), text)
	a.used += len(text)
	return address
}

// reset takes everything back; a chunk for an uncommonly large value is not
// kept.
func (a *arena) reset(tls *libc.TLS) {
	a.used = 0
	if len(a.full) == 0 && a.size <= arenaChunk {
		return
	}
	for _, p := range a.full {
		libc.Xfree(tls, p)
	}
	a.full = a.full[:0]
	if a.size > 16*arenaChunk {
		libc.Xfree(tls, a.chunk)
		a.chunk, a.size = 0, 0
	}
}

func (a *arena) free(tls *libc.TLS) {
	a.reset(tls)
	if a.chunk != 0 {
		libc.Xfree(tls, a.chunk)
		a.chunk = 0
	}
}

// bytesAt is n bytes of memory outside Go's heap.
func bytesAt(address uintptr, n int) []byte { return unsafe.Slice(at[byte](address), n) }

// at is a value outside Go's heap. The detour keeps vet quiet, which cannot
// tell that the garbage collector has no part in such an address.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }
