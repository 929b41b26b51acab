package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/auth"
	"github.com/pandobase/pando/internal/cache/memory"
	"github.com/pandobase/pando/internal/cache/redis"
	"github.com/pandobase/pando/internal/certs"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/changes/local"
	"github.com/pandobase/pando/internal/collections"
	"github.com/pandobase/pando/internal/files"
	"github.com/pandobase/pando/internal/pages"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/realtime"
	"github.com/pandobase/pando/internal/records"
	"github.com/pandobase/pando/internal/settings"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/cached"
	"github.com/pandobase/pando/internal/store/sqlite"
	"github.com/pandobase/pando/internal/web"
	wirejson "github.com/pandobase/pando/internal/wire"
)

// databaseFile is the database, in the data directory.
const databaseFile = sqlite.FileName

// filesDir is the directory of uploaded files, below the data directory.
const filesDir = "storage"

// dirLock keeps a second server out of a data directory, and tells it by whom
// the directory is used. One-shot commands do not take it: the database lets
// them work beside a server.
type dirLock struct{ *sqlite.DirLock }

func lockDir(dir string, began time.Time) (dirLock, error) {
	l, err := sqlite.LockDir(dir, sqlite.LockInfo{PID: os.Getpid(), Started: began})
	if err != nil && pando.KindOf(err) == pando.KindInternal {
		err = unusableDir(dir, err)
	}
	return dirLock{l}, err
}

// tell writes down where the server answers.
func (l dirLock) tell(url string, began time.Time) error {
	return l.Describe(sqlite.LockInfo{PID: os.Getpid(), Address: url, Started: began})
}

// parts is everything that lies below the web edge, chosen and connected once.
type parts struct {
	registry     *prometheus.Registry
	index        *position.Index
	clock        *position.Clock
	store        *database
	facts        store.Facts
	cache        *memory.Cache // nil: none
	cached       *cached.Facts // nil: none
	tier         *redis.Tier   // nil: none
	certificates certs.Storage
	stream       *local.Stream
	blobs        *blobStore
	passwords    *auth.Passwords
	superusers   *auth.Superusers

	records     pando.Records
	collections pando.Collections
	auth        pando.Auth
	files       *files.Files
	realtime    *realtime.Realtime
	live        atomic.Pointer[realtime.Realtime] // the same, for what runs before it is there
	handler     atomic.Pointer[web.Handler]       // of the edge, once there is one
	settings    pando.SettingsService

	checkIP func(rec *pando.Record, ip string) error

	recordHooks records.Hooks
	authHooks   auth.Hooks

	closers []func() error // in the order of opening
}

// wire chooses the backends and connects them. What was opened before something
// failed is closed again.
func wire(cfg Config, place Place, l limits) (_ *parts, err error) {
	p := &parts{registry: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if err := p.openBackends(cfg, place, l); err != nil {
		return nil, err
	}
	p.passwords = auth.NewPasswords(auth.PasswordsConfig{})
	p.closers = append(p.closers, p.passwords.Close)
	p.connect(cfg, l)
	if err := p.blobs.removeTemps(); err != nil {
		cfg.Log.Warn("what a crash left of uploads is not removed", "error", err)
	}
	if err := p.files.Recover(context.Background()); err != nil {
		return nil, fmt.Errorf("settle files after a crash: %w", err)
	}
	p.closers = append(p.closers, keepSettled(p.files, p.blobs.grace(), cfg.Log))
	return p, nil
}

// openBackends opens what holds data: a database, a cache in memory, files in a
// directory, and the one who commits as the stream of changes.
func (p *parts) openBackends(cfg Config, place Place, l limits) error {
	p.index = position.NewIndex(0)
	p.clock = position.NewClock(p.index, cfg.ReadWait)
	p.stream = local.New(cfg.Log)
	p.closers = append(p.closers, p.stream.Close)
	var err error
	if p.blobs, err = openBlobs(context.Background(), place, false); err != nil {
		return err
	}
	p.closers = append(p.closers, p.blobs.close)
	member, err := p.prepareMember(cfg, place)
	if err != nil {
		return err
	}
	db, err := openDatabase(cfg, place, l, p.index, []changes.Sink{p.stream}, member)
	if err != nil {
		return errors.Join(err, member.close())
	}
	p.store = db
	p.closers = append(p.closers, db.Close)
	if db.member == nil { // nobody tells of others' commits: the index is of our own
		p.clock.Replace(p.index)
	}
	p.facts = store.Direct{Store: db}
	if l.cache > 0 && p.mayCache() {
		if p.cache, err = memory.New(l.cache); err != nil {
			return fmt.Errorf("cache: %w", err)
		}
		p.cached = cached.New(db, p.cache, p.clock)
		p.cached.UseViews(db.views)
		p.facts = p.cached
	}
	if err := p.keepCertificates(place.Dir, member.sharedSecret()); err != nil {
		return err
	}
	return p.useTier(cfg, member.sharedSecret())
}

// prepareMember is nil with SQLite, where nobody else commits. With PostgreSQL the
// clock begins with an index that has no lease: nothing was heard of yet.
func (p *parts) prepareMember(cfg Config, place Place) (*memberConfig, error) {
	if place.Database == "" {
		if cfg.ClusterSecret != "" {
			return nil, pando.Invalid("PANDO_CLUSTER_SECRET makes a cluster of servers that share a PostgreSQL database: name it with --database, or unset the secret.")
		}
		return nil, nil
	}
	id, err := identity(place.Dir)
	if err != nil {
		return nil, err
	}
	p.clock.Replace(position.NewStreamIndex(position.Epoch{}, 0, 1))
	m, err := newMemberConfig(cfg, id, p.clock, p.stream, func() bool {
		live := p.live.Load()
		return live != nil && live.Stats().Clients > 0
	})
	if err != nil || m.secret == nil {
		return m, err
	}
	m.load = p.load
	if m.files, err = p.blobs.fingerprint(context.Background()); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

// mayCache tells whether anything says of a cached fact that it holds no longer.
func (p *parts) mayCache() bool { return p.store.kind == "sqlite" || p.store.member != nil }

// connect makes the services.
func (p *parts) connect(cfg Config, l limits) {
	var live *realtime.Realtime // records and realtime know each other
	recs := records.New(records.Config{
		Store: p.store, Facts: p.facts, Blobs: p.blobs, Passwords: p.passwords, Hooks: &p.recordHooks,
		BeforeDelete: func(ctx context.Context, tx store.Tx, rec *pando.Record) (context.Context, error) {
			return live.BeforeDelete(ctx, tx, rec)
		},
	})
	told := realtime.Config{
		Store: p.store, Stream: p.stream, Encode: recs.Encode, LeaseWait: cfg.ReadWait, SubscriptionBytes: int(l.subscriptions),
		Log: cfg.Log, Tag: p.store.tag(),
	}
	if p.mayCache() {
		told.Clock = p.clock
	}
	live = realtime.New(told)
	p.realtime = live
	p.live.Store(live)
	p.closers = append(p.closers, live.Close)
	p.records = recs
	p.collections = collections.New(collections.Config{
		Store: p.store, Blobs: p.blobs, Clear: recs.Clear, Watched: live.Watches,
	})
	p.settings = settings.New(p.store)
	p.superusers = auth.NewSuperusers(p.store, p.passwords)
	logins := auth.New(auth.Config{
		Store: p.store, Facts: p.facts, Passwords: p.passwords, Encode: recs.Encode, Hooks: &p.authHooks,
	})
	p.auth, p.checkIP = logins, logins.CheckIP
	p.files = files.New(files.Config{
		Store: p.store, Facts: p.facts, Blobs: p.blobs, Identify: p.auth.IdentifyFile, CheckIP: p.checkIP,
		Grace: p.blobs.grace(), Clock: p.clock, Log: cfg.Log,
	})
}

// edge makes the web API on top.
func (p *parts) edge(s *Server) (*web.Handler, error) {
	var handler *web.Handler
	cfg := web.Config{
		Records: p.records, Collections: p.collections, Auth: p.auth, Files: p.files,
		Realtime: p.realtime, Settings: p.settings,
		Collection: func(ref string) *pando.Collection { return p.store.Catalog().Collection(ref) },
		PickFields: wirejson.Pick,
		Installer:  p.superusers,
		BodyMemory: s.limits.bodies, OverloadLatency: s.cfg.OverloadLatency,
		PublicDir: s.cfg.PublicDir, Origins: s.cfg.Origins, Indirect: s.cfg.indirect(), Version: s.cfg.Version,
		Status: s.status, Ready: p.ready, Age: p.clock.Age, Turns: p.clock.Turns, Await: p.store.await, InForce: p.store.inForce, System: s.system,
		Registry: p.registry, Log: s.log, Extra: s.routes,
	}
	dir, err := s.cfg.pagesDir()
	if err != nil {
		return nil, err
	}
	if dir != "" {
		cfg.Pages, err = pages.New(pages.Options{
			Dir: dir, Records: p.records, Auth: p.auth, Log: s.log, Reload: s.cfg.Reload,
			RealIP:     func(r *http.Request) string { return handler.RealIP(r) },
			CheckIP:    p.checkIP,
			LimitLogin: func(r *http.Request, collection string) error { return handler.LimitLogin(r, collection) },
		})
		if err != nil {
			return nil, &pando.Error{Kind: pando.KindInvalid, Message: "The pages cannot be used.", Err: err}
		}
	}
	if m := p.store.member; m != nil && m.peers != nil {
		cfg.Elsewhere, cfg.LeaseWait = m.peers.send, s.cfg.WriteWait
	}
	if cfg.Positions, err = p.positions(context.Background()); err != nil {
		return nil, err
	}
	p.measure()
	if handler, err = web.New(cfg); err == nil {
		p.handler.Store(handler)
	}
	return handler, err
}

// load is how much this server has to do, from 0 to 1.
func (p *parts) load() float64 {
	if h := p.handler.Load(); h != nil {
		return h.Load()
	}
	return 0
}

// ready says why no requests should come here; nil if they should.
func (p *parts) ready() error {
	if p.store.member == nil {
		return nil
	}
	return p.store.member.ready()
}

// close closes in the reverse order of opening.
func (p *parts) close() error {
	var errs []error
	for i := len(p.closers) - 1; i >= 0; i-- {
		errs = append(errs, p.closers[i]())
	}
	p.closers = nil
	return errors.Join(errs...)
}
