package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
)

// Notes are objects .pending/SERVER/ID. One has the keys of a whole call of
// Undecided, escaped, one a line: a transaction that removes ten thousand files
// writes one object.
const pendingDir = ".pending"

// note is an object of this process.
type note struct {
	object string
	keys   map[string]bool // that are not decided yet; guarded by Store.mu

	mu sync.Mutex // held while the object is changed
}

// Undecided notes keys.
func (s *Store) Undecided(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return ctx.Err()
	}
	n := &note{object: s.object(path.Join(pendingDir, s.server, pando.NewID())), keys: map[string]bool{}}
	for _, key := range keys {
		if err := s.checkKey(ctx, key); err != nil {
			return err
		}
		n.keys[key] = true
	}
	if err := s.writeNote(ctx, n.object, slices.Sorted(maps.Keys(n.keys))); err != nil {
		// It may be there all the same; if so, it is settled when it is stale.
		return failure(ctx, "note", n.object, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range n.keys {
		s.held[key] = append(s.held[key], n)
	}
	return nil
}

// Decided takes notes back, each as often as it was made.
func (s *Store) Decided(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if err := blob.CheckKey(key); err != nil {
			return err
		}
	}
	touched := map[*note]bool{}
	s.mu.Lock()
	for _, key := range keys {
		notes := s.held[key]
		if len(notes) == 0 {
			continue
		}
		delete(notes[0].keys, key)
		touched[notes[0]] = true
		if s.held[key] = notes[1:]; len(notes) == 1 {
			delete(s.held, key)
		}
	}
	s.mu.Unlock()
	var errs []error
	for n := range touched {
		errs = append(errs, failure(ctx, "note", n.object, s.rewrite(ctx, n)))
	}
	return errors.Join(errs...)
}

// rewrite brings a note's object up to date.
func (s *Store) rewrite(ctx context.Context, n *note) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	s.mu.Lock()
	keys := slices.Sorted(maps.Keys(n.keys))
	s.mu.Unlock()
	if len(keys) == 0 {
		return s.removeObject(ctx, n.object)
	}
	return s.writeNote(ctx, n.object, keys)
}

func (s *Store) writeNote(ctx context.Context, object string, keys []string) error {
	var b strings.Builder
	for _, key := range keys {
		b.WriteString(url.QueryEscape(key) + "\n")
	}
	return s.putObject(ctx, object, []byte(b.String()), minio.PutObjectOptions{ContentType: "text/plain"})
}

// maxNote bounds what is read of an object that somebody else may have put there.
const maxNote = 64 << 20

// Pending lists the notes there are.
func (s *Store) Pending(ctx context.Context) ([]blob.Note, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var objects []minio.ObjectInfo
	err := s.list(ctx, pendingDir+"/", batch, func(info minio.ObjectInfo) error {
		objects = append(objects, info)
		return nil
	})
	if err != nil {
		return nil, failure(ctx, "list", pendingDir, err)
	}
	var notes []blob.Note
	for _, info := range objects {
		list, err := s.readNote(ctx, info)
		if err != nil {
			return nil, err
		}
		notes = append(notes, list...)
	}
	return notes, nil
}

// readNote reads what one object notes; nothing if it is gone or is no note.
func (s *Store) readNote(ctx context.Context, info minio.ObjectInfo) (notes []blob.Note, err error) {
	o, err := s.open(ctx, info.Key)
	if err != nil {
		if pando.KindOf(err) == pando.KindNotFound {
			err = nil // taken back this moment
		}
		return nil, err
	}
	defer o.Close()
	text, err := io.ReadAll(io.LimitReader(o, maxNote))
	if err != nil {
		return nil, err
	}
	id := s.key(info.Key)
	own := strings.HasPrefix(id, pendingDir+"/"+s.server+"/")
	// Clocks that are further apart than a quarter of an hour cannot speak S3.
	age := max(0, time.Since(o.modified))
	for line := range strings.Lines(string(text)) {
		key, err := url.QueryUnescape(strings.TrimSuffix(line, "\n"))
		if err != nil || blob.CheckKey(key) != nil {
			continue
		}
		notes = append(notes, blob.Note{Key: key, ID: id, Own: own, Held: own && s.holds(info.Key, key), Age: age})
	}
	return notes, nil
}

func (s *Store) holds(object, key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.held[key], func(n *note) bool { return n.object == object })
}

// Settled takes notes away, whoever made them. Of an object that is settled in
// part, the rest is written again.
func (s *Store) Settled(ctx context.Context, notes []blob.Note) error {
	settled := map[string][]string{}
	for _, n := range notes {
		if !strings.HasPrefix(n.ID, pendingDir+"/") {
			return fmt.Errorf("blob/s3: %q is no note", n.ID)
		}
		settled[n.ID] = append(settled[n.ID], n.Key)
	}
	var errs []error
	for id, keys := range settled {
		errs = append(errs, failure(ctx, "note", id, s.settle(ctx, s.object(id), keys)))
	}
	return errors.Join(errs...)
}

func (s *Store) settle(ctx context.Context, object string, keys []string) error {
	s.forget(object, keys)
	left, err := s.readNote(ctx, minio.ObjectInfo{Key: object})
	if err != nil {
		return err
	}
	var rest []string
	for _, n := range left {
		if !slices.Contains(keys, n.Key) {
			rest = append(rest, n.Key)
		}
	}
	if len(rest) == 0 {
		return s.removeObject(ctx, object)
	}
	return s.writeNote(ctx, object, rest)
}

// forget lets go of what a transaction of this process held, of which nobody
// thinks that it comes to an end.
func (s *Store) forget(object string, keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		s.held[key] = slices.DeleteFunc(s.held[key], func(n *note) bool {
			if n.object == object {
				delete(n.keys, key)
			}
			return n.object == object
		})
		if len(s.held[key]) == 0 {
			delete(s.held, key)
		}
	}
}
