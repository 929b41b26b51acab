package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/pandobase/pando"
)

// Findings are what [Examine] found.
type Findings struct {
	Err  error  // why the directory cannot be used; nil if it can
	Step string // at which that showed: put, get, delete
	// Took is how long each of put, get and delete of a small file took.
	Put, Get, Delete time.Duration
	Skew             time.Duration // of the clock that stamps files against ours
}

// Examine writes, reads and deletes a small file in a directory that there is,
// beside servers that use it. It leaves nothing, not even what a store makes.
func Examine(ctx context.Context, dir string) (f Findings) {
	f.Step = "put"
	root, err := os.OpenRoot(dir)
	if err != nil {
		f.Err = err
		return f
	}
	defer root.Close()
	s := &Store{root: root}
	name, linked := ".probe-"+pando.NewID(), ".probe-"+pando.NewID()
	defer root.Remove(name)
	defer root.Remove(linked)
	want := []byte("pando doctor\n")
	steps := []struct {
		name string
		took *time.Duration
		do   func() error
	}{
		{"put", &f.Put, func() error {
			// Through a link, since backups and the directory's identity need links.
			return errors.Join(s.writeTemp(ctx, linked, bytes.NewReader(want)), root.Link(linked, name), syncDir(root, "."))
		}},
		{"get", &f.Get, func() error {
			info, err := root.Stat(name)
			if err != nil {
				return err
			}
			f.Skew = info.ModTime().Sub(time.Now()).Truncate(time.Second)
			if got, err := root.ReadFile(name); err != nil || !bytes.Equal(got, want) {
				return errors.Join(err, fmt.Errorf("%d bytes were written and %d are read", len(want), len(got)))
			}
			return nil
		}},
		{"delete", &f.Delete, func() error { return errors.Join(root.Remove(name), root.Remove(linked)) }},
	}
	for _, step := range steps {
		began := time.Now()
		if f.Err = step.do(); f.Err != nil {
			f.Step = step.name
			return f
		}
		*step.took = time.Since(began)
	}
	return f
}
