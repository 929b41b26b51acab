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
	if err := open("").alone(); err == nil || !strings.Contains(err.Error(), "--blob") {
		t.Errorf("files in the data directory: %v", err)
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
		for _, b := range []*blobStore{first, second} {
			if err := b.alone(); err != nil {
				t.Errorf("%s: %v", b.address, err)
			}
		}
		if err := first.sameAs(t.Context(), ""); err != nil {
			t.Errorf("the first member: %v", err)
		}
		recorded, err := first.fingerprint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := second.sameAs(t.Context(), recorded); (err == nil) != tt.same {
			t.Errorf("%s and %s: %v", tt.first, tt.second, err)
		}
	}
}
