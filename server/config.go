package server

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/pandobase/pando"
)

// Defaults of [Config].
const (
	DefaultDir       = "pando_data"
	DefaultHTTP      = "127.0.0.1:8090"
	DefaultAdmin     = "127.0.0.1:8091"
	DefaultPublicDir = "public"
	DefaultPagesDir  = "pages"
	DefaultStop      = 10 * time.Second
	DefaultWriteWait = 5 * time.Second
	DefaultReadWait  = 2 * time.Second
	DefaultCacheTTL  = 24 * time.Hour
	DefaultShadow    = 1000
)

// maxReaders is far beyond what any machine has use for: each reader keeps some
// megabytes.
const maxReaders = 1024

// Off switches a listener or a directory of [Config] off.
const Off = "off"

// Config says what a server is made of. The zero value works on one machine.
type Config struct {
	Dir       string // data directory, made if it is not there; "" means pando_data
	HTTP      string // address to serve on, host:port; "" means 127.0.0.1:8090, or :80 where TLS has domains
	Admin     string // address for operators; "" means 127.0.0.1:8091 or a free port; Off
	PublicDir string // static files; "" means public; Off
	PagesDir  string // page templates; "" means pages; Off

	// Database is the PostgreSQL database, as [Place] has it; "" means the SQLite
	// file in Dir.
	Database string

	// Blob is where files lie, as [Place] has it; "" means Dir. BlobKey, BlobSecret
	// and BlobToken are the credentials of a bucket.
	Blob, BlobKey, BlobSecret, BlobToken string

	// CacheSize is how many bytes the cache in memory may take, by its own
	// reckoning; 0 follows the machine or the container's limit, below 0 there
	// is no cache.
	CacheSize int64
	// Cache names the cache servers of a cluster, redis://user:password@host,host or
	// rediss://… over TLS; "" means none.
	Cache string
	// CacheTTL is how long a cache server keeps an answer, a tenth more or less; 0
	// means a day. Answers do not become false with time: it is for tidiness.
	CacheTTL time.Duration
	// ShadowReads has one in so many answers from a cache read again and compared; 0
	// means 1,000, below 0 none.
	ShadowReads int
	// Readers is how many reads of the database may run at once; 0 follows the
	// machine.
	Readers int
	// QueryTimeout is how long one query of the database may take before it is
	// stopped with an error; 0 means 30 seconds.
	QueryTimeout time.Duration

	// WriteWait is how long a write waits for PostgreSQL's primary when there is
	// none, and a request that changes something while a server of a cluster does not hear
	// of the others' changes, before it fails with a KindUnavailable error; 0 means 5
	// seconds.
	WriteWait time.Duration

	// OverloadLatency is how long requests may come to take before some are refused with
	// 503, because there are more than can be answered; 0 means 250 milliseconds, below 0
	// none is refused.
	OverloadLatency time.Duration

	// ClusterSecret is shared by the servers of a cluster, which use one PostgreSQL
	// database: at least 16 characters, or two such secrets with a line break between,
	// of which the first is presented and both are accepted; "" means one server.
	ClusterSecret string
	// Advertise is the address, host:port, at which the other servers reach this one;
	// "" means the host of HTTP and a free port.
	Advertise string
	// Direct has a server of a cluster answer whoever asks it. Without it, only what
	// load balancers bring over its private address is answered, and everything else
	// refused with 421, health checks excepted. A server without a secret always is
	// direct.
	Direct bool
	// RefuseDegraded refuses reads while the database has no primary, instead of
	// answering with what was known last and marking that with Age.
	RefuseDegraded bool

	// ReadWait is how long a read waits while a server of a cluster does not hear of
	// the others' changes, before it fails with a KindUnavailable error; 0 means 2
	// seconds.
	ReadWait time.Duration

	// TLS has the public address speak HTTPS.
	TLS TLS

	Origins     []string      // allowed CORS origins; empty means all
	Reload      bool          // read page templates again when they change
	StopTimeout time.Duration // for the requests under way when Run ends; 0 means 10 s
	Version     string        // shown by health checks and metrics
	Log         *slog.Logger  // nil: slog.Default()

	// OnReady is called once the server answers; may be nil.
	OnReady func(Info)
}

// Info is what a running server tells of itself.
type Info struct {
	URL        string   // of the API's host; with Private set, of health checks only
	Domains    []string // that it speaks HTTPS for
	Private    string   // host:port at which load balancers find it; "" if whoever asks is answered
	AdminURL   string   // "" if it is off
	Dir        string   // absolute
	Database   string   // the address of its PostgreSQL database, without passwords; "" is SQLite
	Files      string   // the address of its files, without secrets; "" is Dir
	CacheSize  int64    // bytes; 0 means no cache
	Readers    int
	Took       time.Duration // from New to the first request it could answer
	InstallURL string        // link that creates the first superuser; "" if there is one
}

// indirect tells whether only load balancers are answered.
func (c Config) indirect() bool { return c.ClusterSecret != "" && !c.Direct }

func (c Config) withDefaults() Config {
	http := DefaultHTTP
	if c.TLS.on() {
		http = DefaultSecureHTTP
		c.TLS.HTTPS = cmp.Or(c.TLS.HTTPS, DefaultHTTPS)
	}
	for field, def := range map[*string]string{
		&c.Dir: DefaultDir, &c.HTTP: http, &c.PublicDir: DefaultPublicDir, &c.PagesDir: DefaultPagesDir,
	} {
		if *field == "" {
			*field = def
		}
	}
	for _, field := range []*string{&c.PublicDir, &c.PagesDir} {
		if *field == Off {
			*field = ""
		}
	}
	if c.StopTimeout == 0 {
		c.StopTimeout = DefaultStop
	}
	if c.WriteWait == 0 {
		c.WriteWait = DefaultWriteWait
	}
	if c.ReadWait == 0 {
		c.ReadWait = DefaultReadWait
	}
	if c.CacheTTL == 0 {
		c.CacheTTL = DefaultCacheTTL
	}
	if c.ShadowReads == 0 {
		c.ShadowReads = DefaultShadow
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// Check finds what cannot be right whatever the machine is like. Its errors
// are of KindInvalid and say what to do.
func (c Config) Check() error {
	for name, addr := range map[string]string{"http": c.HTTP, "admin": c.Admin} {
		if addr == "" || name == "admin" && addr == Off {
			continue
		}
		if err := checkListen(name, addr); err != nil {
			return err
		}
	}
	if err := c.TLS.check(c.HTTP); err != nil {
		return err
	}
	if c.TLS.on() && c.indirect() {
		return pando.Invalid("A server of a cluster answers load balancers only, which is where clients and their domains come in: pando lb %s. Give --direct if clients are to ask this server itself.", cmp.Or(strings.Join(c.TLS.Domains, " "), "app.example.com"))
	}
	if err := checkBlob(c.place()); err != nil {
		return err
	}
	if c.Readers < 0 || c.Readers > maxReaders {
		return pando.Invalid("--readers: %d is not between 1 and %d: leave it out, or give how many reads may run at once.", c.Readers, maxReaders)
	}
	return c.checkTier()
}

// pagesDir is the directory of pages, "" if there is none.
func (c Config) pagesDir() (string, error) {
	if c.PagesDir == "" {
		return "", nil
	}
	info, err := os.Stat(c.PagesDir)
	if errors.Is(err, fs.ErrNotExist) {
		if c.Reload {
			return c.PagesDir, nil // it may be made yet
		}
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("pages directory: %w", err)
	}
	if !info.IsDir() {
		return "", pando.Invalid("pages-dir: %s is no directory.", c.PagesDir)
	}
	return c.PagesDir, nil
}

// hostURL is the URL under which a browser on this machine reaches addr.
func hostURL(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "http://" + addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == "80" {
		return "http://" + host
	}
	return "http://" + host + ":" + port
}
