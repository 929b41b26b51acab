package server

import (
	"context"
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/test/s3server"
)

// Who may be a member of a cluster, as far as files are concerned.
func TestMembership(t *testing.T) {
	gate, bucket := s3server.Bucket(t)
	_, foreign := s3server.Bucket(t)
	share := t.TempDir()
	open := func(address string) *blobStore {
		t.Helper()
		b, err := openBlobs(context.Background(), Place{
			Dir: t.TempDir(), Blob: address, BlobKey: localcluster.S3Key, BlobSecret: localcluster.S3Secret,
		}, false)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.close() })
		return b
	}
	a, err := open("").fingerprint(t.Context())
	b, err2 := open("").fingerprint(t.Context())
	if err != nil || err2 != nil || a == b {
		t.Errorf("two data directories are %q and %q: %v, %v", a, b, err, err2)
	}
	inBucket, inShare := s3server.URL(gate.Addr(), bucket), "file://"+share
	for _, tt := range []struct {
		first, second string
		same          bool
	}{
		{inBucket, inBucket, true},
		{inBucket, strings.Replace(inBucket, "127.0.0.1", "localhost", 1), true}, // by another name
		{inBucket, s3server.URL(gate.Addr(), foreign), false},
		{inBucket, s3server.URL(gate.Addr(), bucket+"/prefix"), false},
		{inBucket, inShare, false},
		{inShare, inShare, true},
		{inShare, "file://" + t.TempDir(), false},
	} {
		first, second := open(tt.first), open(tt.second)
		recorded, err := first.fingerprint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if own, err := second.fingerprint(t.Context()); err != nil || (own == recorded) != tt.same {
			t.Errorf("%s and %s: the same is %v, want %v (%v)", tt.first, tt.second, own == recorded, tt.same, err)
		}
	}
}
