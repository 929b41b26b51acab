package sqlite

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/pandobase/pando"
)

// lockName is the file within a data directory that its server holds locked.
const lockName = "pando.lock"

// LockInfo says who serves a data directory.
type LockInfo struct {
	PID     int       `json:"pid"`
	Address string    `json:"address"` // where it answers, as a person would type it
	Started time.Time `json:"started"`
}

// DirLock is a data directory that belongs to one server.
type DirLock struct{ f *os.File }

// LockDir takes dir, which is made if it is not there, for one server. If another
// one has it, the error is KindUnavailable and says which. The lock ends with
// the process, however it ends; one-shot commands do not take it.
func LockDir(dir string, info LockInfo) (*DirLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock directory: %w", err)
	}
	switch err := lockFile(f); {
	case errors.Is(err, errLocked):
		err := inUse(dir, f)
		f.Close()
		return nil, err
	case err != nil:
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	l := &DirLock{f}
	if err := l.Describe(info); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Describe replaces what the lock says, for a server that learns its address
// only after it has the directory.
func (l *DirLock) Describe(info LockInfo) error {
	data, err := json.Marshal(info)
	if err != nil {
		return err
	}
	if err := l.f.Truncate(0); err != nil {
		return fmt.Errorf("describe lock: %w", err)
	}
	if _, err := l.f.WriteAt(append(data, '\n'), 0); err != nil {
		return fmt.Errorf("describe lock: %w", err)
	}
	return nil
}

// Close gives the directory back. The file stays: removing it could take it from
// under a server that has just opened it.
func (l *DirLock) Close() error { return l.f.Close() }

// errLocked is that another process holds a file locked.
var errLocked = errors.New("locked")

// inUse tells by whom a directory is in use, as far as the file says.
func inUse(dir string, f *os.File) error {
	by := "another Pando server"
	var info LockInfo
	data, err := io.ReadAll(io.LimitReader(f, 4096))
	if err == nil && json.Unmarshal(data, &info) == nil && info.PID != 0 {
		by = fmt.Sprintf("another Pando server: process %d", info.PID)
		if info.Address != "" {
			by += " at " + info.Address
		}
		if !info.Started.IsZero() {
			by += ", started " + info.Started.Local().Format("2006-01-02 15:04:05")
		}
	}
	return &pando.Error{
		Kind:    pando.KindUnavailable,
		Message: fmt.Sprintf("The directory %s is in use by %s. Stop it, or choose another directory with --dir.", dir, by),
	}
}
