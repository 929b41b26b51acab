package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/topology"
)

// prober asks each host what it is, over a connection of its own that stays
// open: one that must be made first would say less about the server, and cost it
// more.
type prober struct {
	s *Store

	ctx    context.Context // of the connections that are being made
	cancel context.CancelFunc

	mu    sync.Mutex
	hosts map[string]*probed
	ends  sync.WaitGroup // connections being closed
}

// probed is what is known of one host between probes. One goroutine probes it.
type probed struct {
	cfg     *pgconn.Config
	c       *conn
	coming  chan dialled     // a connection that is being made; nil: none is
	history position.History // of the timeline that it was asked about last
	tried   time.Time        // when it was
	telling *askedHistory    // what it is being asked about; nil: it is not
	last    error            // of the last probe
	// received is the highest timeline that it has named while it was in recovery, as
	// long as it is the same process.
	instance uint64
	received uint32
	after    time.Time // not to be asked again before: it will say the same
	most     int       // connections that the server allows

	anew atomic.Bool // connect again for the next probe
}

// redial has the next probe of a host connect to it again.
func (p *prober) redial(name string) {
	if h := p.host(name); h != nil {
		h.anew.Store(true)
	}
}

// refusalPause is for how long a host that refuses us is left alone.
const refusalPause = 5 * time.Second

func newProber(s *Store, hosts []address) *prober {
	p := &prober{s: s}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.set(hosts)
	return p
}

func (p *prober) set(hosts []address) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.hosts
	p.hosts = make(map[string]*probed, len(hosts))
	for _, a := range hosts {
		if p.hosts[a.host] = old[a.host]; p.hosts[a.host] == nil {
			p.hosts[a.host] = &probed{cfg: a.cfg}
		}
	}
}

func (p *prober) host(name string) *probed {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hosts[name]
}

// failures are the errors of the last probes, by host.
func (p *prober) failures() map[string]error {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make(map[string]error, len(p.hosts))
	for name, h := range p.hosts {
		if h.last != nil {
			list[name] = h.last
		}
	}
	return list
}

// limit is how many connections a host allows; 0: not known yet.
func (p *prober) limit(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.hosts[name]; h != nil {
		return h.most
	}
	return 0
}

// close ends the connections, when nothing is probed any more.
func (p *prober) close() {
	p.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.hosts {
		if h.coming != nil {
			coming := h.coming
			p.ends.Go(func() {
				if d := <-coming; d.c != nil {
					d.c.close()
				}
			})
			h.coming = nil
		}
		if h.c != nil {
			h.c.close()
			h.c = nil
		}
	}
	p.ends.Wait()
}

// probe implements topology.Config.Probe.
func (p *prober) probe(ctx context.Context, name string) (topology.Report, error) {
	h := p.host(name)
	if h == nil {
		return topology.Report{}, fmt.Errorf("%s is not among the hosts any more", name)
	}
	if time.Now().Before(h.after) {
		return topology.Report{}, h.last
	}
	r, most, err := p.ask(ctx, h)
	if err != nil {
		err = errorText{maskIn(shortReason(err), p.s.opts.URL), err}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	h.last = err
	if refuses(err) {
		h.after = time.Now().Add(refusalPause)
	}
	if most > 0 {
		h.most = most
	}
	return r, err
}

// errorText is an error in words of our own.
type errorText struct {
	text string
	err  error
}

func (e errorText) Error() string { return e.text }
func (e errorText) Unwrap() error { return e.err }

// probeSQL asks everything that can be asked of any role. pg_walfile_name says
// which timeline a primary writes; the control file lags behind, by a checkpoint or
// until pages are written. The receiver's timeline is shown to members of pg_monitor
// only, and while there is a primary to receive from.
func probeSQL(c *pgconn.PgConn) string {
	return `SELECT pg_is_in_recovery(), (pg_control_system()).system_identifier, ` + instanceSQL(c) + `,
	CASE WHEN pg_is_in_recovery()
		THEN greatest((pg_stat_get_wal_receiver()).received_tli, (pg_control_checkpoint()).timeline_id, (pg_control_recovery()).min_recovery_end_timeline)::text
		ELSE substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8) END,
	CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_flush_lsn() - '0/0' END,
	CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() - '0/0' END,
	CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() - '0/0' END,
	CASE WHEN pg_is_in_recovery() THEN extract(epoch FROM now() - pg_last_xact_replay_timestamp()) * 1000 END,
	current_setting('server_version_num'),
	current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int`
}

func (p *prober) ask(ctx context.Context, h *probed) (r topology.Report, most int, err error) {
	if h.anew.Swap(false) && h.c != nil {
		h.c.hold.Store(true)
		p.ends.Go(h.c.close)
		h.c = nil
	}
	if err := h.connect(ctx, p.ctx); err != nil {
		return r, 0, err
	}
	row := make([]string, 10)
	batch := []*query{{sql: probeSQL(h.c.pg), text: true, row: func(_ *query, v [][]byte) error {
		for i := range v {
			row[i] = string(v[i])
		}
		return nil
	}}}
	if p.s.Catalog() != nil { // the table is there
		batch = append(batch, &query{sql: "SELECT catalog FROM _pando_meta", text: true, row: func(_ *query, v [][]byte) error {
			r.Catalog, err = strconv.ParseUint(string(v[0]), 10, 64)
			return err
		}})
	}
	err = h.c.run(ctx, batch...)
	if isStaleStatement(err) {
		h.c.forget()
	}
	if err != nil && (!batch[0].ran || !isPgError(err)) {
		if !isPgError(err) {
			h.c.hold.Store(true)
			p.ends.Go(h.c.close)
			h.c = nil
		}
		return r, 0, err
	}
	return r, p.read(ctx, h, &r, row), nil
}

// dialled is what became of a connection.
type dialled struct {
	c   *conn
	err error
}

// connect makes sure that there is a connection. To make one takes many more round
// trips than a question does, and may take longer than the host has for an answer:
// then the next probe goes on with it.
func (h *probed) connect(ctx, life context.Context) error {
	if h.c != nil && !h.c.broken() {
		return nil
	}
	h.c = nil
	for {
		if h.coming == nil {
			coming := make(chan dialled, 1)
			h.coming = coming
			go func() {
				ctx, cancel := context.WithTimeout(life, dialTimeout)
				defer cancel()
				c, err := h.dial(ctx)
				coming <- dialled{c, err}
			}()
		}
		select {
		case d := <-h.coming:
			h.c, h.coming = d.c, nil
			if d.err == nil || !errors.Is(d.err, context.DeadlineExceeded) {
				return d.err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// dial makes a connection. Its statements are prepared once, unless there is a pooler, which
// gives each of them another session.
func (h *probed) dial(ctx context.Context) (*conn, error) {
	c, err := connect(ctx, h.cfg, true)
	if err != nil {
		return nil, err
	}
	pooled, err := c.isPooled(ctx)
	if err != nil {
		c.hold.Store(true) // it does not answer
		c.close()
		return nil, err
	}
	c.unnamed = pooled
	return c, nil
}

// read makes a report of a row, and says how many connections there may be.
func (p *prober) read(ctx context.Context, h *probed, r *topology.Report, row []string) int {
	number := func(s string) uint64 {
		n, _ := strconv.ParseUint(s, 10, 64) // NULL is 0
		return n
	}
	r.InRecovery = row[0] == "t"
	r.System, r.Instance = number(row[1]), number(row[2])
	base := 16
	if r.InRecovery {
		base = 10
	}
	timeline, _ := strconv.ParseUint(row[3], base, 32)
	r.Timeline = uint32(timeline)
	if r.InRecovery { // when its primary is gone, it says less than it has said before
		if h.instance != r.Instance {
			h.instance, h.received = r.Instance, 0
		}
		h.received = max(h.received, r.Timeline)
		r.Timeline = h.received
	}
	r.Flush, r.Receive, r.Replay = position.N(number(row[4])), position.N(number(row[5])), position.N(number(row[6]))
	r.LagMS, _ = strconv.ParseFloat(row[7], 64)
	r.Version = int(number(row[8]))
	if !r.InRecovery && r.Timeline > 1 {
		if h.history.Timeline != r.Timeline && time.Since(h.tried) > refusalPause {
			p.learn(ctx, h, r.Timeline)
		}
		r.History = h.history
	}
	return int(number(row[9]))
}

// askedHistory is a host that is asked how a timeline came about, over a connection for
// replication of its own.
type askedHistory struct {
	timeline uint32
	text     chan string
}

// learn reads how a timeline came about: over a connection for replication, or from the
// file, whichever the role may. With neither, it is not known; then every position of
// earlier timelines counts as lost. As a connection, it may take longer than the host has
// for an answer: then the next probe goes on with it.
func (p *prober) learn(ctx context.Context, h *probed, timeline uint32) {
	if h.telling == nil {
		t := &askedHistory{timeline, make(chan string, 1)}
		h.telling = t
		cfg := h.cfg.Copy()
		cfg.RuntimeParams["replication"] = "database" // and so let in by the line of pg_hba.conf that lets us in
		p.ends.Go(func() {
			ctx, cancel := context.WithTimeout(p.ctx, dialTimeout)
			defer cancel()
			t.text <- historyOf(ctx, cfg, timeline)
		})
	}
	text := ""
	select {
	case text = <-h.telling.text:
	case <-ctx.Done():
		return
	}
	asked := h.telling.timeline
	if h.telling = nil; asked != timeline { // it has gone on meanwhile
		p.learn(ctx, h, timeline)
		return
	}
	if text == "" {
		_ = h.c.each(ctx, "SELECT pg_read_file($1)", func(v [][]byte) error {
			text = string(v[0])
			return nil
		}, fmt.Sprintf("pg_wal/%08X.history", timeline))
	}
	if text == "" && ctx.Err() != nil {
		return
	}
	h.tried = time.Now() // it will say the same again
	var err error
	if h.history, err = position.ParseHistory(timeline, text); text == "" || err != nil {
		h.history = position.History{}
	}
}

// historyOf is the history of a timeline as a host sends it to replicas; "" if it does not.
func historyOf(ctx context.Context, cfg *pgconn.Config, timeline uint32) (text string) {
	c, err := connect(ctx, cfg, true)
	if err != nil {
		return ""
	}
	defer c.close()
	results, err := c.pg.Exec(ctx, fmt.Sprintf("TIMELINE_HISTORY %d", timeline)).ReadAll()
	if err != nil || len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) != 2 {
		return ""
	}
	return string(results[0].Rows[0][1])
}

// refuses tells whether a host has answered, and will say the same again.
func refuses(err error) bool {
	switch code := codeOf(err); {
	case code == "3D000", code == "57P04":
		return true
	default:
		return strings.HasPrefix(code, "28")
	}
}
