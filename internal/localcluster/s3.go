package localcluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The credentials of every S3 server of ours.
const (
	S3Key    = "pandokey"
	S3Secret = "pando-secret-of-tests"
)

// S3 is an S3 server (versitygw) that keeps each bucket in a directory.
type S3 struct {
	Part
	bin, dir string
	port     *Port
	proc     *program
}

// StartS3 starts the program bin. Its files lie on a disk: file systems in memory
// of older kernels know no extended attributes.
func StartS3(ctx context.Context, bin string) (*S3, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	_, dir, err := newNode(nil, false)
	if err != nil {
		return nil, err
	}
	s := &S3{Part: Part{[]string{dir + "/"}}, bin: bin, dir: dir}
	if s.port, err = ReservePort(); err == nil {
		err = os.Mkdir(s.root(), 0o700)
	}
	if err == nil {
		err = s.Start(ctx)
	}
	if err != nil {
		_ = s.Destroy()
		return nil, err
	}
	return s, nil
}

// Start starts it again after a Kill.
func (s *S3) Start(ctx context.Context) error {
	if s.proc != nil {
		if len(members(s.match...)) > 0 {
			return nil
		}
		<-s.proc.done
	}
	proc, err := launch(nil, s.dir, filepath.Join(s.dir, "log"), nil, s.bin,
		"--access", S3Key, "--secret", S3Secret, "--port", s.Addr(), "--keep-alive", "--quiet", "posix", s.root())
	if err != nil {
		return err
	}
	s.proc = proc
	return until(ctx, 2*time.Millisecond, "the S3 server to start", func() (bool, error) {
		if proc.ended() {
			return false, fmt.Errorf("localcluster: the S3 server did not start: %w\n%s", proc.err, tail(proc.log))
		}
		conn, err := net.Dial("tcp", s.Addr())
		if err == nil {
			_ = conn.Close()
		}
		return err == nil, nil
	})
}

// Addr is host:port.
func (s *S3) Addr() string { return s.port.Addr() }

// CreateBucket makes an empty bucket.
func (s *S3) CreateBucket(name string) error {
	if err := os.Mkdir(s.Bucket(name), 0o700); err != nil {
		return fmt.Errorf("localcluster: %w", err)
	}
	return nil
}

// Bucket is the directory of a bucket: its objects are files below it.
func (s *S3) Bucket(name string) string { return filepath.Join(s.root(), name) }

func (s *S3) root() string { return filepath.Join(s.dir, "buckets") }

// Log is the end of what it says.
func (s *S3) Log() string { return tail(filepath.Join(s.dir, "log")) }

// Relay is a new relay to it.
func (s *S3) Relay() (*Relay, error) { return NewRelay(s.Addr()) }

// Destroy ends it and deletes what it kept.
func (s *S3) Destroy() error {
	if err := s.Kill(); err != nil {
		return err
	}
	s.port.Release()
	return os.RemoveAll(s.dir)
}
