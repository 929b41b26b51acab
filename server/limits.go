package server

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const megabyte = 1 << 20

// SQLite's page caches, which the Go runtime does not see.
const (
	readerPages = 2 * megabyte
	writerPages = 8 * megabyte
	// An import inserts all over the index of random ids: one that does not fit
	// is read from the disk for each row.
	importPages = 256 * megabyte
)

// limits are the sizes that follow the machine.
type limits struct {
	memory  uint64 // bytes this process may use; the machine's memory without a limit
	limited bool   // by GOMEMLIMIT or the container
	gc      int64  // the runtime's soft limit, bytes; math.MaxInt64 means none
	cache   int64  // bytes; 0 means no cache
	bodies  int64  // bytes that submitted bodies may take, all together

	subscriptions int64 // bytes that those of realtime clients may take, all together

	readers int
	writer  int64 // page cache of the writer, bytes; 0 means writerPages
}

// measure decides the sizes: those of the configuration first, else a share of
// the memory there is.
func measure(cfg Config) limits {
	var l limits
	if n, err := memlimit.FromCgroup(); err == nil && n > 0 && n < math.MaxInt64 {
		l.memory, l.limited = n, true
	} else if n, err := memlimit.FromSystem(); err == nil {
		l.memory = n
	}
	l.gc = debug.SetMemoryLimit(-1)
	if os.Getenv("GOMEMLIMIT") != "" && l.gc < math.MaxInt64 {
		l.limited = true
		l.memory = min(max(l.memory, 1), uint64(l.gc))
		if l.memory == 1 {
			l.memory = uint64(l.gc)
		}
	}

	l.readers = cfg.Readers
	if l.readers == 0 {
		l.readers = max(4, runtime.GOMAXPROCS(0))
		if l.limited { // a reader holds its pages for ever: not more than an eighth
			l.readers = max(2, min(l.readers, int(l.memory/8/readerPages)))
		}
	}
	l.subscriptions = min(max(int64(l.memory/16), 8*megabyte), 256*megabyte)
	l.bodies = min(max(int64(l.memory/4), 32*megabyte), 1024*megabyte)
	l.cache = cfg.CacheSize
	switch {
	case l.cache < 0:
		l.cache = 0
	case l.cache == 0:
		l.cache = min(max(int64(l.memory/8), 8*megabyte), 256*megabyte)
	}
	return l
}

// roomyPercent is how much garbage the heap may hold for each byte in use, in
// percent, where there is memory enough: collecting it is a twentieth of the work of
// a cached read at Go's 100.
const (
	roomyPercent = 200
	roomyMemory  = 1024 * megabyte
)

// apply sets the runtime's limit to nine tenths of the container's, less what
// SQLite takes beside it. GOMEMLIMIT, where given, stays as it is.
func (l *limits) apply() {
	if l.memory >= roomyMemory && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(roomyPercent)
	}
	if !l.limited || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	gc := int64(l.memory/10*9) - 2*int64(l.readers)*readerPages - writerPages // long queries double the readers
	l.gc = max(gc, int64(l.memory/2))
	debug.SetMemoryLimit(l.gc)
}
