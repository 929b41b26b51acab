package wal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

const (
	// idle is how often the server is asked how far it is.
	idle = 20 * time.Millisecond
	// What waits for Next at most, before the server has to.
	maxPending      = 4096     // entries
	maxPendingBytes = 16 << 20 // of their rows and tags
)

// Reader is a changes.LogReader. One goroutine receives and decodes, one tells the
// server that we are there and asks how far it is, one lets go of the log.
type Reader struct {
	c        link
	epoch    position.Epoch
	instance uint64
	start    position.N
	dec      *decoder

	settle    func(context.Context) error
	confirmed atomic.Uint64
	heard     atomic.Int64 // when the server last said something: nanoseconds since began
	began     time.Time
	ask       chan struct{}
	sending   sync.Mutex

	mu      sync.Mutex
	pending changes.Chunk
	bytes   int
	news    bool // pending is to be returned, be it only a position
	err     error
	ready   chan struct{} // news or err is there
	room    chan struct{} // pending was taken

	life     context.Context // ends with the first failure, or Close
	end      context.CancelFunc
	received chan struct{} // closed when nothing is received any more
	running  sync.WaitGroup
}

func newReader(c link, epoch position.Epoch, instance uint64, start position.N, d *decoder, settle func(context.Context) error) *Reader {
	r := &Reader{
		settle: settle, c: c, epoch: epoch, instance: instance, start: start, dec: d, began: time.Now(), pending: changes.Chunk{To: start},
		ask: make(chan struct{}, 1), ready: make(chan struct{}, 1), room: make(chan struct{}, 1),
		received: make(chan struct{}),
	}
	r.life, r.end = context.WithCancel(context.Background())
	r.confirmed.Store(uint64(start))
	return r
}

// run starts the goroutines, which end with Close.
func (r *Reader) run(gone <-chan struct{}) {
	r.c.sealed.Store(true)
	r.running.Go(r.receive)
	r.running.Go(func() { r.tell(gone) })
	r.running.Go(r.release)
}

// Epoch is that of the log.
func (r *Reader) Epoch() position.Epoch { return r.epoch }

// Instance is that of the server.
func (r *Reader) Instance() uint64 { return r.instance }

// Start is the position behind which the log begins.
func (r *Reader) Start() position.N { return r.start }

// Next implements changes.LogReader.
func (r *Reader) Next(ctx context.Context) (changes.Chunk, error) {
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for expired := false; ; {
		if chunk, ok, err := r.take(expired); ok || err != nil {
			return chunk, err
		}
		select {
		case <-r.ready:
		case <-timer.C:
			expired = true
		case <-ctx.Done():
			return changes.Chunk{}, ctx.Err()
		}
	}
}

func (r *Reader) take(anyway bool) (c changes.Chunk, ok bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.news && r.err != nil {
		return c, false, r.err
	}
	if !r.news && !anyway {
		return c, false, nil
	}
	c = r.pending
	r.pending.Entries, r.bytes, r.news = nil, 0, false
	signal(r.room)
	return c, true, nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Ask implements changes.LogReader.
func (r *Reader) Ask() { signal(r.ask) }

// Confirm implements changes.LogReader.
func (r *Reader) Confirm(n position.N) {
	for old := r.confirmed.Load(); old < uint64(n); old = r.confirmed.Load() {
		if r.confirmed.CompareAndSwap(old, uint64(n)) {
			return
		}
	}
}

// Close ends the connection, and the slot with it: when the server has closed it, the
// slot is gone.
func (r *Reader) Close() error {
	r.stop(errClosed)
	r.sending.Lock()
	_, err := r.c.Conn().Write([]byte{'X', 0, 0, 0, 4}) // Terminate
	r.sending.Unlock()
	if err == nil {
		timer := time.NewTimer(closeWait)
		select {
		case <-r.received:
		case <-timer.C:
		}
		timer.Stop()
	}
	r.c.cut()
	r.running.Wait()
	r.c.close()
	return nil
}

var errClosed = errors.New("the reader is closed")

// closeWait is for how long a server is asked to end the connection itself.
const closeWait = time.Second

// stop has the goroutines end for this reason, unless there is one already.
func (r *Reader) stop(err error) {
	r.mu.Lock()
	if r.err == nil {
		r.err = fmt.Errorf("the database's log: %w", err)
	}
	r.mu.Unlock()
	signal(r.ready)
	r.end()
}

// fail stops everything at once.
func (r *Reader) fail(err error) {
	r.stop(err)
	r.c.cut()
}

// receive reads until the connection ends.
func (r *Reader) receive() {
	defer close(r.received)
	for {
		m, err := r.c.ReceiveMessage(context.Background())
		if err != nil {
			r.fail(err)
			return
		}
		r.heard.Store(int64(time.Since(r.began)))
		if r.life.Err() != nil {
			continue // until the server has ended it
		}
		switch m := m.(type) {
		case *pgproto3.CopyData:
			err = r.data(m.Data)
		case *pgproto3.ErrorResponse:
			err = errors.New(m.Message + " (" + m.Code + ")")
		case *pgproto3.CopyDone, *pgproto3.CommandComplete, *pgproto3.ReadyForQuery:
			err = errors.New("the server has ended it")
		}
		if err != nil {
			r.fail(err)
			return
		}
	}
}

func (r *Reader) data(b []byte) error {
	if len(b) == 0 {
		return errShort
	}
	switch b[0] {
	case pglogrepl.PrimaryKeepaliveMessageByteID:
		k, err := pglogrepl.ParsePrimaryKeepaliveMessage(b[1:])
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.reach(position.N(k.ServerWALEnd))
		r.mu.Unlock()
		if k.ReplyRequested {
			return r.report(0, false)
		}
		return nil
	case pglogrepl.XLogDataByteID:
		x, err := pglogrepl.ParseXLogData(b[1:])
		if err != nil {
			return err
		}
		e, ok, err := r.dec.read(x.WALData)
		r.c.flood.rising = r.dec.amidst()
		if ok {
			r.add(e)
		}
		return err
	}
	return errUnexpected(b[0], "is unknown")
}

// reach notes that everything up to n was read; r is locked.
func (r *Reader) reach(n position.N) {
	r.pending.To = max(r.pending.To, n)
	r.news = true
	signal(r.ready)
}

// add gives an entry to Next, and waits while there are too many.
func (r *Reader) add(e changes.Entry) {
	size := 0
	for i := range e.Rows {
		size += sizeOf(&e.Rows[i])
	}
	size += 8 * len(e.Tags)
	r.mu.Lock()
	r.pending.Entries = append(r.pending.Entries, e)
	r.bytes += size
	r.reach(e.N)
	for len(r.pending.Entries) >= maxPending || r.bytes >= maxPendingBytes {
		r.mu.Unlock()
		select {
		case <-r.room:
		case <-r.life.Done():
			return
		}
		r.mu.Lock()
	}
	r.mu.Unlock()
}

// tell reports to the server, and sees that it is there.
func (r *Reader) tell(gone <-chan struct{}) {
	tick := time.NewTicker(idle)
	defer tick.Stop()
	for {
		select {
		case <-r.life.Done():
			return
		case <-gone:
			r.fail(errGone)
			return
		case <-r.ask:
		case <-tick.C:
		}
		if quiet := time.Since(r.began) - time.Duration(r.heard.Load()); quiet > silence && !r.full() {
			r.fail(fmt.Errorf("the server has said nothing for %s", quiet.Round(time.Second)))
			return
		}
		if err := r.report(0, true); err != nil {
			r.fail(err)
			return
		}
	}
}

// full tells whether it is us who do not listen.
func (r *Reader) full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pending.Entries) >= maxPending || r.bytes >= maxPendingBytes
}
