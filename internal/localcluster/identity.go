package localcluster

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// identity is the user that servers run as; nil is the current one.
type identity struct {
	uid, gid int
}

// unprivileged is postgres or nobody if this process is root.
func unprivileged() (*identity, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil && uid != 0 {
			return &identity{uid, gid}, nil
		}
	}
	return nil, fmt.Errorf("localcluster: PostgreSQL does not run as root, and there is neither a user postgres nor nobody: add one, or run as another user")
}

// own gives everything below path to the identity.
func (as *identity) own(path string) error {
	if as == nil {
		return nil
	}
	return filepath.WalkDir(path, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(name, as.uid, as.gid)
	})
}
