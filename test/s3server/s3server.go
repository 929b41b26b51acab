// Package s3server gives tests a real S3 server, built from the module in gateway
// and run by internal/localcluster.
package s3server

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/test/built"
)

// Build returns the path of the server's program, building it if need be, which
// takes a minute.
func Build(ctx context.Context) (string, error) {
	_, file, _, _ := runtime.Caller(0)
	return built.Program(ctx, filepath.Join(filepath.Dir(file), "gateway"), "github.com/versity/versitygw/cmd/versitygw", "versitygw")
}

// building bounds a build where other tests run.
const building = 8 * time.Minute

// shared is the server of this test binary. Nobody stops it: it ends, and its
// directory goes, when the process does.
var shared struct {
	once sync.Once
	s3   *localcluster.S3
	err  error
}

var buckets atomic.Int64

// Bucket is an empty bucket on a server that all tests of this binary share. A test
// that breaks the server takes one of its own (Start).
func Bucket(t testing.TB) (s *localcluster.S3, name string) {
	t.Helper()
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), building)
		defer cancel()
		shared.s3, shared.err = start(ctx)
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.s3, NewBucket(t, shared.s3)
}

// NewBucket makes an empty bucket.
func NewBucket(t testing.TB, s *localcluster.S3) string {
	t.Helper()
	name := fmt.Sprintf("bucket%d", buckets.Add(1))
	if err := s.CreateBucket(name); err != nil {
		t.Fatal(err)
	}
	return name
}

// Start is a server of the test's own, destroyed when it ends.
func Start(t testing.TB) *localcluster.S3 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), building)
	defer cancel()
	s, err := start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of the S3 server ends with\n%s", s.Log())
		}
		if err := s.Destroy(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func start(ctx context.Context) (*localcluster.S3, error) {
	bin, err := Build(ctx)
	if err != nil {
		return nil, err
	}
	return localcluster.StartS3(ctx, bin)
}

// URL is --blob of a bucket at host:port.
func URL(addr, bucketAndPrefix string) string {
	return "s3://" + bucketAndPrefix + "?endpoint=http://" + addr + "&path-style=true"
}

// Env is the credentials, as variables of a server's environment.
func Env() []string {
	return []string{"PANDO_BLOB_KEY=" + localcluster.S3Key, "PANDO_BLOB_SECRET=" + localcluster.S3Secret}
}
