package auth

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/pandobase/pando"
)

// DefaultCost is the bcrypt cost of a password field that names none.
const DefaultCost = 10

// defaultQueue is how many checks may wait. With one worker at 70 ms each, the
// last of them waits half a minute; whoever comes then is told so at once.
const defaultQueue = 400

// Passwords hashes and checks passwords with bcrypt. One check takes about 70 ms
// of a processor, so they wait in a bounded queue for a few workers: however
// many people log in at once, the rest of the server keeps its processors.
type Passwords struct {
	jobs   chan *job
	quit   chan struct{}
	ended  sync.WaitGroup
	once   sync.Once
	waited func(time.Duration)

	queued   atomic.Int64
	done     atomic.Uint64
	refused  atomic.Uint64
	waitedNS atomic.Int64
}

// PasswordsConfig sizes [Passwords]. Zero values are replaced by the defaults.
type PasswordsConfig struct {
	Workers int                 // at once; half of the processors, at least one
	Queue   int                 // waiting; 400
	Waited  func(time.Duration) // told how long each job waited for its worker; may be nil
}

// PasswordStats counts since the start.
type PasswordStats struct {
	Queued  int64         // waiting now
	Done    uint64        // hashed or checked
	Refused uint64        // turned away because the queue was full
	Waited  time.Duration // by all that were done, together
}

type job struct {
	ctx  context.Context
	work func()
	came time.Time
	done chan struct{} // closed when work has run, or never will
	ran  bool          // read it after done
}

// NewPasswords starts the workers.
func NewPasswords(c PasswordsConfig) *Passwords {
	if c.Workers <= 0 {
		c.Workers = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if c.Queue <= 0 {
		c.Queue = defaultQueue
	}
	p := &Passwords{jobs: make(chan *job, c.Queue), quit: make(chan struct{}), waited: c.Waited}
	for range c.Workers {
		p.ended.Go(p.worker)
	}
	return p
}

// Close ends the workers after the jobs they are at; whoever waits is turned
// away. It may be called twice.
func (p *Passwords) Close() error {
	p.once.Do(func() { close(p.quit) })
	p.ended.Wait()
	return nil
}

// Stats counts now.
func (p *Passwords) Stats() PasswordStats {
	return PasswordStats{p.queued.Load(), p.done.Load(), p.refused.Load(), time.Duration(p.waitedNS.Load())}
}

// Hash is the bcrypt hash of plain; cost 0 means [DefaultCost]. It fails with
// KindInvalid if plain is longer than bcrypt's 72 bytes, KindUnavailable if too
// many are waiting.
func (p *Passwords) Hash(ctx context.Context, plain string, cost int) (string, error) {
	if cost == 0 {
		cost = DefaultCost
	}
	var hash []byte
	var err error
	if rerr := p.run(ctx, func() { hash, err = bcrypt.GenerateFromPassword([]byte(plain), cost) }); rerr != nil {
		return "", rerr
	}
	if errors.Is(err, bcrypt.ErrPasswordTooLong) {
		return "", pando.Invalid("The password is longer than 72 bytes.")
	}
	if err != nil {
		return "", fmt.Errorf("auth: hash: %w", err)
	}
	return string(hash), nil
}

// Verify tells whether hash was made from plain. What is no bcrypt hash was made
// from nothing, and is found out as slowly as a wrong password. It fails with
// KindUnavailable if too many are waiting.
func (p *Passwords) Verify(ctx context.Context, hash, plain string) (bool, error) {
	_, err := bcrypt.Cost([]byte(hash))
	real := err == nil
	if !real {
		hash = dummyHash(DefaultCost)
	}
	var match bool
	work := func() { match = bcrypt.CompareHashAndPassword([]byte(hash), []byte(plain)) == nil }
	if err := p.run(ctx, work); err != nil {
		return false, err // work may be under way still: match is not ours yet
	}
	return match && real, nil
}

// Reject takes as long as [Passwords.Verify] of a hash of this cost, so that an
// unknown name cannot be told from a wrong password by the time it takes.
func (p *Passwords) Reject(ctx context.Context, cost int, plain string) error {
	if cost == 0 {
		cost = DefaultCost
	}
	_, err := p.Verify(ctx, dummyHash(cost), plain)
	return err
}

// dummyHash has the form of a hash of this cost, and nobody knows a password
// for it: its salt and its sum were drawn at random.
func dummyHash(cost int) string {
	return fmt.Sprintf("$2a$%02d$Yx0bUzJ7qkWcR4mDn5TtVeHs2oLgAaPfKiE9wQ1uZ8jC3yXvB6dSG", cost)
}

// run waits for a worker to do work.
func (p *Passwords) run(ctx context.Context, work func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{ctx: ctx, work: work, came: time.Now(), done: make(chan struct{})}
	select {
	case <-p.quit:
		return closing()
	default:
	}
	select {
	case p.jobs <- j:
		p.queued.Add(1)
	default:
		p.refused.Add(1)
		return &pando.Error{
			Kind:    pando.KindUnavailable,
			Message: "Too many passwords are being checked right now. Please try again in a moment.",
		}
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		return ctx.Err() // a worker will find the job and drop it
	case <-p.quit:
		// The worker may have taken it all the same; the answer is not needed.
		return closing()
	}
	if !j.ran {
		return ctx.Err()
	}
	return nil
}

func closing() error {
	return &pando.Error{Kind: pando.KindUnavailable, Message: "The server is shutting down."}
}

func (p *Passwords) worker() {
	// The thread is never unlocked: it ends with the goroutine, and its low
	// priority with it.
	runtime.LockOSThread()
	stepBack()
	for {
		select {
		case <-p.quit:
			return
		case j := <-p.jobs:
			p.do(j)
		}
	}
}

func (p *Passwords) do(j *job) {
	defer close(j.done)
	p.queued.Add(-1)
	if j.ctx.Err() != nil {
		return
	}
	waited := time.Since(j.came)
	p.waitedNS.Add(int64(waited))
	if p.waited != nil {
		p.waited(waited)
	}
	j.work()
	j.ran = true
	p.done.Add(1)
}
