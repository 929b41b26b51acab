package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/pandobase/pando"
)

func unusableDir(dir string, err error) error {
	e := &pando.Error{Kind: pando.KindUnavailable, Err: err}
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		e.Message = fmt.Sprintf("The data directory %s cannot be written to: give this user the right to, or choose another with --dir.", dir)
	default:
		e.Message = fmt.Sprintf("The data directory %s cannot be used.", dir)
	}
	return e
}

// openError says why the database in dir cannot be opened. SQLite's own words
// for a directory that cannot be written to do not say so.
func openError(dir string, err error) error {
	kind := pando.KindOf(err)
	if kind == pando.KindInvalid {
		return err
	}
	f, probe := os.CreateTemp(dir, ".pando-probe-")
	if probe == nil {
		f.Close()
		probe = os.Remove(f.Name())
	}
	switch {
	case errors.Is(probe, fs.ErrPermission), errors.Is(probe, syscall.EROFS):
		return unusableDir(dir, probe)
	case kind == pando.KindInternal:
		return unusableDir(dir, err)
	}
	return err
}

// existing is the absolute place, whose data must be there.
func (p Place) existing() (Place, error) {
	p, err := p.absolute()
	if err != nil {
		return p, err
	}
	if p.Database != "" {
		return p, nil // whether it is there shows when it is opened
	}
	if _, err := os.Stat(filepath.Join(p.Dir, databaseFile)); err != nil {
		return p, &pando.Error{
			Kind: pando.KindNotFound, Err: err,
			Message: fmt.Sprintf("There is no Pando data in %s: name its directory with --dir.", p.Dir),
		}
	}
	return p, nil
}
