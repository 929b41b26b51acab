package wal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

const (
	// silence is for how long the server may say nothing, though it is asked all the
	// time, and for how long it bears our silence.
	silence = 15 * time.Second
	// connectTime is how long a connection may take: the host may take it and say no more.
	connectTime = 5 * time.Second
	// waitWord is after which time it is said whom the slot waits for.
	waitWord = time.Second
)

// session has the server decode early what is large, so that little is left to do
// when it is committed, write values as the store's own sessions do, and not end a
// session that only reads the log.
var session = map[string]string{
	"logical_decoding_work_mem":           "4MB",
	"wal_sender_timeout":                  "15s",
	"statement_timeout":                   "0",
	"lock_timeout":                        "0",
	"idle_in_transaction_session_timeout": "0",
	"extra_float_digits":                  "1",
	"bytea_output":                        "hex",
	"timezone":                            "UTC",
	"datestyle":                           "ISO, MDY",
}

// Open begins to read at now. It waits until all transactions have ended that were
// writing when it was called, as long as ctx allows.
func (l *Log) Open(ctx context.Context) (changes.LogReader, error) {
	r, err := l.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the database's log: %w", err)
	}
	return r, nil
}

// snapshotTries is how often a slot is made: PostgreSQL may happen to read its own catalog
// while it makes one, and then refuses to hand the snapshot of the slot out ("cannot build
// an initial slot snapshot when MyProc->xmin already is valid"). Nothing keeps the next try
// from it.
const snapshotTries = 5

func (l *Log) open(ctx context.Context) (r *Reader, err error) {
	for range snapshotTries {
		r, err = l.openOnce(ctx)
		if e, ok := errors.AsType[*pgconn.PgError](err); !ok || !strings.Contains(e.Message, "initial slot snapshot") {
			break
		}
	}
	return r, err
}

func (l *Log) openOnce(ctx context.Context) (*Reader, error) {
	cfg, gone, err := l.cfg.Primary(ctx)
	if err != nil {
		return nil, err
	}
	begun, stop := context.WithCancelCause(ctx)
	watch := make(chan struct{})
	go func() {
		defer close(watch)
		select {
		case <-gone:
			stop(errGone)
		case <-begun.Done():
		}
	}()
	r, err := l.begin(begun, cfg)
	if err != nil && errors.Is(context.Cause(begun), errGone) {
		err = errGone
	}
	stop(nil)
	<-watch
	if err != nil {
		return nil, err
	}
	r.run(gone)
	return r, nil
}

// begin connects, and starts to read.
func (l *Log) begin(ctx context.Context, cfg *pgconn.Config) (*Reader, error) {
	limit, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	c, err := connect(limit, cfg)
	if err != nil {
		return nil, err
	}
	r, err := l.start(ctx, c)
	if err != nil {
		c.close()
	}
	return r, err
}

var errGone = errors.New("the primary is one no more")

// link is a connection for replication. Once sealed it makes no others: pgconn
// would ask the server to cancel what runs on one that failed.
type link struct {
	*pgconn.PgConn
	flood  *flood
	sealed *atomic.Bool
}

func connect(ctx context.Context, cfg *pgconn.Config) (link, error) {
	cfg = cfg.Copy()
	cfg.RuntimeParams["replication"] = "database"
	for name, value := range session {
		cfg.RuntimeParams[name] = value
	}
	sealed, last := new(atomic.Bool), new(flood)
	dial := cfg.DialFunc
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if sealed.Load() {
			return nil, errors.New("wal: nothing is to be cancelled")
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		last = &flood{Conn: conn}
		return last, nil
	}
	c, err := pgconn.ConnectConfig(ctx, cfg)
	return link{c, last, sealed}, err
}

// cut ends what is under way on the connection, from any goroutine.
func (c link) cut() {
	c.sealed.Store(true)
	_ = c.Conn().Close()
}

// close waits a moment for the connection to be gone. What failed within a command
// is cancelled by pgconn, which a server that does not answer makes a long wait.
func (c link) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.Close(ctx)
	select {
	case <-c.CleanupDone():
	case <-ctx.Done():
	}
}

// start makes the slot, reads the state of the database as of where it begins, and
// has the server send what comes.
func (l *Log) start(ctx context.Context, c link) (*Reader, error) {
	system, err := pglogrepl.IdentifySystem(ctx, c.PgConn)
	if err != nil {
		return nil, err
	}
	// The slot's snapshot is this transaction's, which therefore must not have one yet.
	if _, err := c.Exec(ctx, "BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ").ReadAll(); err != nil {
		return nil, err
	}
	slot := "pando_" + strings.ToLower(rand.Text())
	at, err := l.createSlot(ctx, c, slot)
	if err != nil {
		return nil, err
	}
	state, err := l.cfg.Load(ctx, c.PgConn)
	if err != nil {
		return nil, err
	}
	if _, err := c.Exec(ctx, "COMMIT").ReadAll(); err != nil {
		return nil, err
	}
	err = pglogrepl.StartReplication(ctx, c.PgConn, slot, pglogrepl.LSN(at), pglogrepl.StartReplicationOptions{PluginArgs: []string{
		"proto_version '2'", "streaming 'on'", "messages 'on'",
		`publication_names '"` + state.Publication + `"'`,
	}})
	if err != nil {
		return nil, err
	}
	epoch := position.Epoch{Database: state.Database, Incarnation: state.Incarnation, Timeline: uint32(system.Timeline)}
	return newReader(c, epoch, state.Instance, at, newDecoder(&l.cfg.Tables, state), l.cfg.Settle), nil
}

// createSlot waits for the transactions that are open, and says whose.
func (l *Log) createSlot(ctx context.Context, c link, name string) (position.N, error) {
	waiting, stop := context.WithCancel(ctx)
	said := make(chan string, 1)
	go func() { said <- l.sayWaiting(waiting, c.PID()) }()
	slot, err := pglogrepl.CreateReplicationSlot(ctx, c.PgConn, name, "pgoutput",
		pglogrepl.CreateReplicationSlotOptions{Temporary: true, SnapshotAction: "USE_SNAPSHOT"})
	stop()
	whom := <-said
	switch {
	case err != nil && whom != "" && ctx.Err() != nil:
		return 0, fmt.Errorf("it begins when the transactions that are open have ended, and waits for %s: %w", whom, err)
	case err != nil:
		return 0, err
	}
	return position.ParseLSN(slot.ConsistentPoint)
}

// sayWaiting logs whom a slot waits for, until ctx is done, and returns the last one.
func (l *Log) sayWaiting(ctx context.Context, pid uint32) (whom string) {
	tick := time.NewTicker(waitWord)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return whom
		case <-tick.C:
		}
		if now := l.cfg.Waiting(ctx, pid); now != "" && now != whom {
			whom = now
			l.cfg.Logger.Warn("the database's log can be read when the transactions that are open have ended: end this one if it does not", "waits for", whom)
		}
	}
}
