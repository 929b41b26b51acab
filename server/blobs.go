package server

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/backup"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/blob/disk"
	"github.com/pandobase/pando/internal/blob/s3"
)

// fileScheme begins the address of a directory that several servers share.
const fileScheme = "file://"

// blobStore is where the configuration keeps files, with what concerns operators
// only.
type blobStore struct {
	blob.Store
	kind    string // as /readyz?verbose names it
	address string // as people may see it; "" is the data directory
	// shared tells whether servers on other machines can have the same files. One
	// that keeps them in its data directory is alone on its database.
	shared bool
	// fingerprint is the same for all servers that have the same files.
	fingerprint func(context.Context) (string, error)
	empty       func(context.Context) (bool, error)
	clear       func(context.Context) error
	// stage holds on to all files for a backup; it may need room below dir.
	stage       func(dir string) (backup.Stage, error)
	removeTemps func() error
	close       func() error
}

// lateness is how long what a process has sent may still be on its way when the
// process is gone: a file to a bucket, a transaction to a database of several
// servers.
const lateness = 15 * time.Second

// grace is how old a note must be to be settled by the next process.
func (b *blobStore) grace() time.Duration {
	if b.shared {
		return lateness
	}
	return 0
}

// openBlobs opens the files of a place, for a server or for one task beside it.
func openBlobs(ctx context.Context, place Place, task bool) (*blobStore, error) {
	if place.Blob == "" {
		dir := filepath.Join(place.Dir, filesDir)
		s, err := disk.Open(dir)
		if err != nil {
			return nil, unusableDir(dir, err)
		}
		return diskStore(s, "directory"), nil
	}
	server, err := fileServer(place, task)
	if err != nil {
		return nil, err
	}
	if dir, ok := strings.CutPrefix(place.Blob, fileScheme); ok {
		return openSharedDir(dir, server)
	}
	options, err := place.s3(server)
	if err != nil {
		return nil, err
	}
	s, err := s3.Open(ctx, options)
	if err != nil {
		return nil, err
	}
	return &blobStore{
		Store: s, kind: "s3", address: options.Address.String(), shared: true,
		fingerprint: s.Fingerprint, empty: s.Empty, clear: s.Clear, removeTemps: s.RemoveTemps, close: s.Close,
		stage: func(dir string) (backup.Stage, error) { return s.Stage(dir) },
	}, nil
}

// fileServer is the name under which notes are made: a server's own, or a task's
// that nobody knows again.
func fileServer(place Place, task bool) (string, error) {
	if task {
		return "task-" + pando.NewID(), nil
	}
	return identity(place.Dir)
}

func diskStore(s *disk.Store, kind string) *blobStore {
	return &blobStore{
		Store: s, kind: kind,
		fingerprint: s.Fingerprint, empty: s.Empty, clear: s.Clear, removeTemps: s.RemoveTemps, close: s.Close,
		stage: func(string) (backup.Stage, error) { return s.Stage() },
	}
}

func openSharedDir(dir, server string) (*blobStore, error) {
	// It is not made: a share that is not mounted would become a directory of this
	// machine.
	if err := sharedDirError(dir); err != nil {
		return nil, err
	}
	s, err := disk.OpenShared(dir, server)
	if err != nil {
		return nil, &pando.Error{Kind: pando.KindUnavailable, Err: err, Message: "The directory " + dir + " of --blob cannot be written to: give this user the right to, or choose another."}
	}
	b := diskStore(s, "shared directory")
	b.address, b.shared = fileScheme+dir, true
	return b, nil
}

func sharedDirError(dir string) error {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return &pando.Error{Kind: pando.KindInvalid, Err: err, Message: "There is no directory " + dir + ", which --blob names: mount it, or make it."}
	}
	return nil
}

// checkBlob finds what cannot be right in an address of files.
func checkBlob(place Place) error {
	if place.Blob == "" {
		return nil
	}
	if strings.HasPrefix(place.Blob, s3.Scheme) {
		_, err := place.s3("check")
		return err
	}
	u, err := url.Parse(place.Blob)
	if err != nil || u.Scheme != "file" || u.Host != "" || u.User != nil || u.RawQuery != "" || !filepath.IsAbs(u.Path) || !strings.HasPrefix(place.Blob, fileScheme) {
		return pando.Invalid("--blob is neither a bucket (s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION) nor a shared directory (file:///SHARED/DIR).")
	}
	return nil
}

func (p Place) s3(server string) (s3.Options, error) {
	o := s3.Options{Key: p.BlobKey, Secret: p.BlobSecret, Token: p.BlobToken, Server: server}
	var err error
	if o.Address, err = s3.Parse(p.Blob); err != nil {
		return o, err
	}
	return o, o.Check()
}

// MaskBlob is an address of files as people may see it: without anything that
// could be a secret.
func MaskBlob(address string) string {
	if address == "" || checkBlob(Place{Blob: address, BlobKey: "-", BlobSecret: "-"}) != nil {
		if address == "" {
			return ""
		}
		return "(no address)"
	}
	if at, err := s3.Parse(address); err == nil {
		return at.String()
	}
	return address
}

// openEmptyBlobs opens shared files that something is to be copied into.
func openEmptyBlobs(ctx context.Context, place Place) (*blobStore, error) {
	b, err := openBlobs(ctx, place, true)
	if err != nil {
		return nil, err
	}
	empty, err := b.empty(ctx)
	if err == nil && !empty {
		err = pando.Invalid("There are files in %s already: name an empty bucket, prefix or directory with --blob.", b.address)
	}
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// leave closes what openEmptyBlobs opened, and makes it empty again if what was
// copied into it failed.
func (b *blobStore) leave(failed error) (err error) {
	if failed != nil {
		err = b.clear(context.Background())
	}
	return errors.Join(err, b.close())
}
