//go:build unix

package disk

import (
	"errors"
	"os"
)

// syncDir puts the entries of a directory on disk.
func syncDir(root *os.Root, dir string) error {
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
