// Package s3 keeps files in a bucket of any server that speaks S3.
//
// The keys of objects are the prefix and the keys of the files
// (prefix/collectionID/recordID/name), so that any tool copies them from and to
// the directory of internal/blob/disk. Names of the root that begin with a dot are
// the store's own: .pending holds the notes of [Store.Undecided], .id what tells
// one store from another.
//
// S3 shows an object whole or not at all, and to everybody as soon as its PUT is
// answered, so there is nothing to do for other servers to see a file.
//
// Every request is bounded: a server that does not answer, or with which nothing
// moves any more, is given up after [Options.Patience], retries included, with a
// KindUnavailable error. A download is not kept in memory but for its beginning, an
// upload in parts of [partSize].
package s3

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
)

const (
	// defaultPatience is how long a request may take in which nothing moves.
	defaultPatience = 20 * time.Second
	dialTime        = 3 * time.Second
	// attempts is how often a request is tried that found nobody, or a server that
	// says it is busy.
	attempts = 4

	idleConns = 64 // connections kept for what comes next
	maxKey    = 1024
)

// Options is what a [Store] is made of.
type Options struct {
	Address Address
	// Key and Secret are the credentials; Token is the third part of temporary ones.
	Key, Secret, Token string
	// Server is the name of this server, another than any other's, and the same
	// after a restart.
	Server string
	// Patience is how long a request may take in which nothing moves, all its tries
	// together; 0 means 20 seconds.
	Patience time.Duration
}

// Check finds what cannot be right.
func (o Options) Check() error {
	if err := blob.CheckKey(o.Server); err != nil || strings.Contains(o.Server, "/") {
		return pando.Invalid("A server cannot be named %q.", o.Server)
	}
	if o.Key == "" || o.Secret == "" {
		return pando.Invalid("There are no credentials for %s: set PANDO_BLOB_KEY and PANDO_BLOB_SECRET (or …_FILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY).", o.Address)
	}
	return nil
}

// Store is a [blob.Store] in a bucket.
type Store struct {
	at       Address
	server   string
	patience time.Duration
	core     minio.Core
	http     *http.Transport
	clock    *clock
	large    chan struct{} // room for uploads of several parts

	mu   sync.Mutex // guards what follows; not held during requests
	held map[string][]*note
}

var _ blob.Store = (*Store)(nil)

// Open makes a store and checks that the bucket can be used.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := connect(o)
	if err != nil {
		return nil, err
	}
	if err := s.check(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// connect makes a store without asking the server anything.
func connect(o Options) (*Store, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	s := &Store{at: o.Address, server: o.Server, patience: cmp.Or(o.Patience, defaultPatience), large: make(chan struct{}, largeUploads), held: map[string][]*note{}}
	s.http = &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialTime, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   dialTime,
		ResponseHeaderTimeout: s.patience * 9 / 20, // so that there is time for a second try
		ExpectContinueTimeout: time.Second,
		MaxIdleConnsPerHost:   idleConns,
		IdleConnTimeout:       30 * time.Second,
		DisableCompression:    true, // files come as they are
	}
	s.clock = &clock{next: s.http}
	lookup := map[string]minio.BucketLookupType{"": minio.BucketLookupAuto, "true": minio.BucketLookupPath, "false": minio.BucketLookupDNS}
	core, err := minio.NewCore(s.at.Endpoint, &minio.Options{
		Creds:     credentials.NewStaticV4(o.Key, o.Secret, o.Token),
		Secure:    !s.at.Plain,
		Transport: s.clock, Region: s.at.Region, BucketLookup: lookup[s.at.PathStyle], MaxRetries: attempts,
	})
	if err != nil {
		return nil, pando.Invalid("--blob: the endpoint %s cannot be used: %v.", s.at.url(), err)
	}
	s.core = *core
	return s, nil
}

// Close lets go of the connections.
func (s *Store) Close() error {
	s.http.CloseIdleConnections()
	return nil
}

// check finds out whether the bucket is there and these credentials open it.
func (s *Store) check(ctx context.Context) error {
	err := s.list(ctx, ".", 1, func(minio.ObjectInfo) error { return errEnough })
	if err != nil {
		return s.explain(err)
	}
	return nil
}

// object is the key of a file's object.
func (s *Store) object(key string) string { return path.Join(s.at.Prefix, key) }

// key is the key of the file that an object is.
func (s *Store) key(object string) string {
	if s.at.Prefix == "" {
		return object
	}
	return strings.TrimPrefix(object, s.at.Prefix+"/")
}

// checkKey refuses what cannot be a key, here or anywhere.
func (s *Store) checkKey(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := blob.CheckKey(key); err != nil {
		return err
	}
	if len(s.object(key)) > maxKey {
		return pando.Invalid("The file name %.100q cannot be used: with what stands before it it is longer than %d bytes.", key, maxKey)
	}
	return nil
}

// clock is the way to the server. It notes what the server's clock says.
type clock struct {
	next http.RoundTripper
	skew atomic.Int64 // of the server's clock against ours, ns
}

// apart is how far the server's clock is ahead of ours, as far as its stamps, which
// have whole seconds, tell.
func (c *clock) apart() time.Duration {
	return time.Duration(c.skew.Load()).Round(time.Second)
}

// RoundTrip sends a request.
func (c *clock) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err == nil {
		if t, err := http.ParseTime(res.Header.Get("Date")); err == nil {
			c.skew.Store(int64(time.Until(t)))
		}
	}
	return res, err
}
