package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pandobase/pando"
)

func unusableDir(dir string, err error) error {
	e := &pando.Error{Kind: pando.KindUnavailable, Err: err}
	switch {
	case errors.Is(err, fs.ErrPermission):
		e.Message = fmt.Sprintf("The data directory %s cannot be written to: give this user the right to, or choose another with --dir.", dir)
	default:
		e.Message = fmt.Sprintf("The data directory %s cannot be used.", dir)
	}
	return e
}

// existingDir is the absolute path of a data directory that must be there.
func existingDir(dir string) (string, error) {
	if dir == "" {
		dir = DefaultDir
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", unusableDir(dir, err)
	}
	if _, err := os.Stat(filepath.Join(dir, databaseFile)); err != nil {
		return "", &pando.Error{
			Kind: pando.KindNotFound, Err: err,
			Message: fmt.Sprintf("There is no Pando data in %s: name its directory with --dir.", dir),
		}
	}
	return dir, nil
}
