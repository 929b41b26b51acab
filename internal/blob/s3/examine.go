package s3

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/pandobase/pando"
)

// Findings are what [Examine] found.
type Findings struct {
	Err  error  // why the bucket cannot be used; nil if it can
	Step string // at which that showed: open, put, get, delete
	// Took is how long each of put, get and delete of a small object took.
	Put, Get, Delete time.Duration
	Skew             time.Duration // of the server's clock against ours
	Plain            bool          // files travel without encryption
	Local            bool          // to this machine only
}

// Examine puts, reads and deletes a small object, beside servers that use the
// bucket.
func Examine(ctx context.Context, o Options) (f Findings, err error) {
	s, err := connect(o)
	if err != nil {
		return f, err
	}
	defer s.Close()
	f.Plain, f.Local = s.at.Plain, s.at.local()
	if f.Err = s.check(ctx); f.Err != nil {
		f.Step, f.Skew = "open", s.clock.apart()
		return f, nil
	}
	f.Skew = s.clock.apart()
	name, want := s.object(".probe-"+pando.NewID()), []byte("pando doctor\n")
	steps := []struct {
		name string
		took *time.Duration
		do   func() error
	}{
		{"put", &f.Put, func() error { return s.putObject(ctx, name, want, minio.PutObjectOptions{}) }},
		{"get", &f.Get, func() error { return s.readBack(ctx, name, want) }},
		{"delete", &f.Delete, func() error { return s.removeObject(ctx, name) }},
	}
	for _, step := range steps {
		began := time.Now()
		if err := step.do(); err != nil {
			f.Step, f.Err = step.name, s.explain(err)
			_ = s.removeObject(context.WithoutCancel(ctx), name)
			return f, nil
		}
		*step.took = time.Since(began)
	}
	return f, nil
}

func (s *Store) readBack(ctx context.Context, object string, want []byte) error {
	o, err := s.open(ctx, object)
	if err != nil {
		return err
	}
	defer o.Close()
	got, err := io.ReadAll(o)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return pando.Invalid("what was put and what is read are not the same")
	}
	return nil
}
