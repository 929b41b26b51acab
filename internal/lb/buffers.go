package lb

import "sync"

// bufferPool lends the buffers that bodies are copied through, so that only what is
// being copied takes memory.
type bufferPool struct{ pool sync.Pool }

const bufferSize = 32 << 10

var copyBuffers = &bufferPool{sync.Pool{New: func() any { return new([bufferSize]byte) }}}

func (p *bufferPool) Get() []byte  { return p.pool.Get().(*[bufferSize]byte)[:] }
func (p *bufferPool) Put(b []byte) { p.pool.Put((*[bufferSize]byte)(b)) }
