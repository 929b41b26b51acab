package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/pandobase/pando"
)

// Stage holds on to files as they are now, for a backup: hard links under a name
// of the store's own. What is deleted meanwhile stays in the stage; a stored
// file never changes, so a link is as good as a copy.
type Stage struct {
	root *os.Root
	dir  string
}

// Stage makes an empty stage.
func (s *Store) Stage() (*Stage, error) {
	dir := stagePrefix + pando.NewID()
	if err := s.root.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("blob/disk: stage: %w", err)
	}
	return &Stage{s.root, dir}, nil
}

// stagePrefix begins the names of stages. A crash leaves one behind, which
// removeDeadStages takes away once no other process can be using it.
const (
	stagePrefix = ".stage-"
	deadStage   = 24 * time.Hour
)

func (s *Store) removeDeadStages() error {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return fmt.Errorf("blob/disk: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), stagePrefix) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > deadStage {
			if err := s.root.RemoveAll(e.Name()); err != nil {
				return fmt.Errorf("blob/disk: %w", err)
			}
		}
	}
	return nil
}

// Add links every file that is in the store and not yet in the stage. Call it
// before and after copying the database: a file of a record in the copy was
// there at one of the two moments.
func (g *Stage) Add(ctx context.Context) error {
	err := fs.WalkDir(g.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if gone(err) {
			return nil // deleted since its directory was read
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if d.IsDir() {
			// Own directories, and thumbs, which are made again when asked for.
			if name != "." && strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "thumbs_") {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		return g.link(name)
	})
	if err != nil {
		return fmt.Errorf("blob/disk: stage: %w", err)
	}
	return nil
}

func (g *Stage) link(name string) error {
	to := path.Join(g.dir, name)
	if err := g.root.MkdirAll(path.Dir(to), 0o700); err != nil {
		return err
	}
	err := g.root.Link(name, to)
	if errors.Is(err, fs.ErrExist) || gone(err) {
		return nil
	}
	return err
}

// Open opens a staged file.
func (g *Stage) Open(key string) (io.ReadCloser, error) {
	return g.root.Open(path.Join(g.dir, key))
}

// Close lets go of the files.
func (g *Stage) Close() error { return g.root.RemoveAll(g.dir) }
