package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/pandobase/pando"
)

const (
	lockFile   = "pando.lock"  // held by the running server
	holderFile = "server.json" // who that is
)

// holder says who uses a data directory, for those who come second.
type holder struct {
	PID     int       `json:"pid"`
	URL     string    `json:"url,omitempty"`
	Started time.Time `json:"started"`
}

// dirLock keeps a second server out of a data directory. One-shot commands do
// not take it: the database lets them work beside a server.
type dirLock struct {
	dir  string
	lock *flock.Flock
	me   holder
}

func lockDir(dir string) (*dirLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unusableDir(dir, err)
	}
	l := &dirLock{dir: dir, lock: flock.New(filepath.Join(dir, lockFile)), me: holder{PID: os.Getpid(), Started: time.Now().UTC().Truncate(time.Second)}}
	held, err := l.lock.TryLock()
	if err != nil {
		return nil, unusableDir(dir, err)
	}
	if !held {
		return nil, inUse(dir)
	}
	return l, l.tell("")
}

// tell writes down who holds the lock and where it serves.
func (l *dirLock) tell(url string) error {
	l.me.URL = url
	b, err := json.Marshal(l.me)
	if err != nil {
		return err
	}
	return writeFileAtomic(filepath.Join(l.dir, holderFile), append(b, '\n'), 0o600)
}

func (l *dirLock) close() error {
	return errors.Join(os.Remove(filepath.Join(l.dir, holderFile)), l.lock.Unlock())
}

// inUse says by whom.
func inUse(dir string) error {
	by := "another server"
	if b, err := os.ReadFile(filepath.Join(dir, holderFile)); err == nil {
		var h holder
		if json.Unmarshal(b, &h) == nil && h.PID > 0 {
			by = fmt.Sprintf("another server: process %d, running since %s", h.PID, h.Started.Local().Format("2006-01-02 15:04:05"))
			if h.URL != "" {
				by += ", at " + h.URL
			}
		}
	}
	return &pando.Error{
		Kind:    pando.KindUnavailable,
		Message: fmt.Sprintf("The data directory %s is in use by %s. Stop that server, or give this one a directory of its own with --dir.", dir, by),
	}
}

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

// writeFileAtomic replaces a file as a whole: whoever reads it sees the old or
// the new content.
func writeFileAtomic(path string, data []byte, mode fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
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
