package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/blob/s3"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/test/s3server"
)

// distant is a store behind a relay, with little patience.
func distant(t *testing.T, patience time.Duration) (*s3.Store, *localcluster.Relay) {
	t.Helper()
	gate, bucket := s3server.Bucket(t)
	relay, err := gate.Relay()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(relay.Close)
	o := options(t, s3server.URL(relay.Addr(), bucket), "one")
	o.Patience = patience
	s, err := s3.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, relay
}

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(b)
	return b
}

func put(t *testing.T, s *s3.Store, key string, data []byte) {
	t.Helper()
	if err := s.Put(t.Context(), key, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
}

// A store that is gone, or that hangs, fails every call in time as one that is not
// available, and works again when it is back.
func TestGone(t *testing.T) {
	const patience = 1500 * time.Millisecond
	s, relay := distant(t, patience)
	put(t, s, "c/r/a", []byte("here"))
	ctx := t.Context()
	calls := map[string]func() error{
		"put":       func() error { return s.Put(ctx, "c/r/b", strings.NewReader("b")) },
		"large":     func() error { return s.Put(ctx, "c/r/l", bytes.NewReader(make([]byte, 6<<20))) },
		"open":      func() error { _, err := s.Open(ctx, "c/r/a"); return err },
		"delete":    func() error { return s.Delete(ctx, "c/r/x") },
		"deleteAll": func() error { return s.DeleteAll(ctx, "c/x") },
		"undecided": func() error { return s.Undecided(ctx, []string{"c/r/b"}) },
		"pending":   func() error { _, err := s.Pending(ctx); return err },
		"name":      func() error { _, err := s.Fingerprint(ctx); return err },
	}
	for _, way := range []struct {
		name   string
		break_ func()
	}{
		{"refused", relay.Down},
		{"silent", relay.Silence},
	} {
		way.break_()
		var wg sync.WaitGroup
		for name, call := range calls {
			wg.Go(func() {
				began := time.Now()
				err := call()
				if took := time.Since(began); took > 3*patience { // a large upload is several requests
					t.Errorf("%s, %s: it took %s", way.name, name, took)
				}
				if e, ok := errors.AsType[*pando.Error](err); !ok || e.Kind != pando.KindUnavailable || e.Message == "" {
					t.Errorf("%s, %s: %v, want a KindUnavailable error", way.name, name, err)
				}
				if errors.Is(err, blob.ErrAstray) != (name == "put") { // the large one had not begun
					t.Errorf("%s, %s: %v; only of a put it may be unknown what became of it", way.name, name, err)
				}
			})
		}
		wg.Wait()
		if err := relay.Heal(); err != nil {
			t.Fatal(err)
		}
		if o, err := s.Open(ctx, "c/r/a"); err != nil {
			t.Errorf("after being %s: %v", way.name, err)
		} else {
			o.Close()
		}
	}
}

// A request that broke off is made again.
func TestRetry(t *testing.T) {
	s, relay := distant(t, 0)
	var requests atomic.Int64
	relay.Watch(func(c localcluster.Chunk) bool {
		return !c.Up || requests.Add(1) > 2 // the first two connections are reset
	})
	if err := s.Put(t.Context(), "c/r/a", strings.NewReader("a")); err != nil {
		t.Fatal(err)
	}
	requests.Store(0)
	o, err := s.Open(t.Context(), "c/r/a")
	if err != nil {
		t.Fatal(err)
	}
	o.Close()
}

// A download that breaks off goes on where it was.
func TestResume(t *testing.T) {
	s, relay := distant(t, 0)
	want := random(20 << 20)
	put(t, s, "c/r/a", want)
	o, err := s.Open(t.Context(), "c/r/a")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	var got bytes.Buffer
	for i := range 3 {
		if _, err := io.CopyN(&got, o, 5<<20); err != nil {
			t.Fatalf("after %d cuts: %v", i, err)
		}
		relay.Cut()
	}
	if _, err := io.Copy(&got, o); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes that are not the file's", got.Len())
	}
}

// What a download resumes is the file that it began with, or it fails.
func TestReplacedMeanwhile(t *testing.T) {
	s, relay := distant(t, 0)
	put(t, s, "c/r/a", random(8<<20))
	o, err := s.Open(t.Context(), "c/r/a")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if _, err := io.CopyN(io.Discard, o, 1<<20); err != nil {
		t.Fatal(err)
	}
	put(t, s, "c/r/a", bytes.Repeat([]byte("x"), 8<<20))
	relay.Cut()
	if n, err := io.Copy(io.Discard, o); pando.KindOf(err) != pando.KindUnavailable || err == nil {
		t.Errorf("%d bytes more, %v", n, err)
	}
}

func TestSlow(t *testing.T) {
	s, relay := distant(t, 4*time.Second)
	relay.Delay(300 * time.Millisecond)
	want := random(6 << 20)
	put(t, s, "c/r/a", want)
	o, err := s.Open(t.Context(), "c/r/a")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if got, err := io.ReadAll(o); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// Who reads slowly is not the store's fault.
func TestSlowReader(t *testing.T) {
	const patience = 2 * time.Second
	s, relay := distant(t, patience)
	put(t, s, "c/r/a", random(16<<20))
	o, err := s.Open(t.Context(), "c/r/a")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	before := relay.Accepted()
	for range 2 {
		if _, err := io.CopyN(io.Discard, o, 100_000); err != nil {
			t.Fatal(err)
		}
		<-time.After(patience + patience/4) // in which there is nothing to wait for
	}
	if n, err := io.Copy(io.Discard, o); err != nil || n != 16<<20-200_000 {
		t.Errorf("%d, %v", n, err)
	}
	if again := relay.Accepted() - before; again > 0 {
		t.Errorf("the download was taken for dead, and begun anew %d times", again)
	}
}

// A range of a large file is asked for as such.
func TestRange(t *testing.T) {
	s, relay := distant(t, 0)
	const size = 128 << 20
	put(t, s, "c/r/a", make([]byte, size))
	_, before := relay.Bytes()
	o, err := s.Open(t.Context(), "c/r/a")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	head := make([]byte, 3000)
	if _, err := io.ReadFull(o, head); err != nil { // what is in it?
		t.Fatal(err)
	}
	for _, at := range []int64{0, size - 1000, size / 2} {
		if _, err := o.Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, o, 1000); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := o.Seek(0, io.SeekEnd); n != size || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := o.Read(head); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	o.Close()
	// What the kernel's buffers take of answers that are given up is lost.
	if _, after := relay.Bytes(); after-before > size/4 {
		t.Errorf("%d bytes for three ranges of 1,000", after-before)
	}
}

// Uploads of any size take little memory.
func TestMemory(t *testing.T) {
	s, _ := distant(t, 0)
	const size = 150 << 20
	var most uint64
	read := 0
	r := reader(func(p []byte) (int, error) {
		if read += len(p); read%(10<<20) < len(p) {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		return len(p), nil
	})
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if err := s.Put(t.Context(), "c/r/a", io.LimitReader(r, size)); err != nil {
		t.Fatal(err)
	}
	if more := int64(most) - int64(m.HeapAlloc); more > 32<<20 {
		t.Errorf("%d MB for one upload", more>>20)
	}
	o, err := s.Open(t.Context(), "c/r/a")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if o.Size() != size {
		t.Errorf("it has %d bytes", o.Size())
	}
}

type reader func([]byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }

// Of an upload in parts that fails nothing is left, neither a file nor parts.
func TestBrokenLargeUpload(t *testing.T) {
	gate, bucket := s3server.Bucket(t)
	s := open(t, s3server.URL(gate.Addr(), bucket), "one")
	broken := errors.New("the client went away")
	r := io.MultiReader(bytes.NewReader(make([]byte, 12<<20)), reader(func([]byte) (int, error) { return 0, broken }))
	if err := s.Put(t.Context(), "c/r/a", r); !errors.Is(err, broken) {
		t.Errorf("%v, want the reader's error", err)
	}
	var left []string
	err := filepath.WalkDir(gate.Bucket(bucket), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			left = append(left, path)
		}
		return err
	})
	if err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
	}
	if err := s.RemoveTemps(); err != nil {
		t.Error(err)
	}
}

// Who goes away is not told that the store is gone.
func TestCancelledWhileReading(t *testing.T) {
	s, _ := distant(t, 0)
	put(t, s, "c/r/a", random(8<<20))
	ctx, cancel := context.WithCancel(t.Context())
	o, err := s.Open(ctx, "c/r/a")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	cancel()
	if _, err := io.Copy(io.Discard, o); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

func TestStage(t *testing.T) {
	gate, bucket := s3server.Bucket(t)
	s := open(t, s3server.URL(gate.Addr(), bucket+"/p"), "one")
	want := map[string]string{}
	for i := range 30 {
		key := fmt.Sprintf("c/r%d/a.txt", i)
		put(t, s, key, []byte(key))
		want[key] = key
	}
	put(t, s, "c/r1/thumbs_a.txt/1_a.txt", []byte("thumb"))
	if err := s.Undecided(t.Context(), []string{"c/r1/a.txt"}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	g, err := s.Stage(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Add(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, s, "c/late/a.txt", []byte("late"))
	want["c/late/a.txt"] = "late"
	if err := s.DeleteAll(t.Context(), "c/r3"); err != nil {
		t.Fatal(err)
	}
	if err := g.Add(t.Context()); err != nil {
		t.Fatal(err)
	}
	for key, text := range want {
		f, err := g.Open(key)
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		got, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil || string(got) != text {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
	for _, key := range []string{"c/r1/thumbs_a.txt/1_a.txt", "c/r1/a.txt", "c/none"} {
		if _, err := g.Open(key); !os.IsNotExist(err) {
			t.Errorf("%s: %v", key, err)
		}
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
