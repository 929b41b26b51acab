package s3_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/blob/blobtest"
	"github.com/pandobase/pando/internal/blob/s3"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/test/s3server"
)

func TestMain(m *testing.M) {
	// The shared server is reaped at the end of the process.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/pandobase/pando/internal/localcluster.launch.func1"))
}

func options(t testing.TB, url, server string) s3.Options {
	t.Helper()
	at, err := s3.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	return s3.Options{Address: at, Key: localcluster.S3Key, Secret: localcluster.S3Secret, Server: server}
}

func open(t testing.TB, url, server string) *s3.Store {
	t.Helper()
	s, err := s3.Open(context.Background(), options(t, url, server))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestContract(t *testing.T) {
	for name, prefix := range map[string]string{"Root": "", "Prefix": "/deep/er"} {
		t.Run(name, func(t *testing.T) {
			shared := func(t *testing.T) func(string) blob.Store {
				gate, bucket := s3server.Bucket(t)
				return func(server string) blob.Store { return open(t, s3server.URL(gate.Addr(), bucket+prefix), server) }
			}
			blobtest.Run(t, func(t *testing.T) func() blob.Store {
				open := shared(t)
				return func() blob.Store { return open("one") }
			})
			blobtest.RunShared(t, shared)
		})
	}
}
