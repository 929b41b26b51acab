package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// row is a record as a client knows it: its text and its file, or that it is
// gone. The file's content follows from the text.
type row struct {
	there bool
	text  string
	size  int // of the file; 0: none
}

// clerk is one client that writes records of its own, and keeps the books: what
// was answered, and what may or may not have happened when no answer came.
type clerk struct {
	*api
	random  *rand.Rand
	name    string
	books   map[string]row
	doubt   map[string]row // what the last write of a record would have made of it
	answers *atomic.Int64  // of all clerks
}

// run writes until the server is gone.
func (c *clerk) run(t *testing.T) {
	for n := 0; ; n++ {
		id, after := c.next(n)
		c.doubt[id] = after
		got, err := c.write(id, after)
		if err != nil {
			return
		}
		if got.status != 200 && got.status != 204 {
			t.Errorf("%s %s: %d %s", c.name, id, got.status, got.body)
			return
		}
		delete(c.doubt, id)
		c.books[id] = after
		c.answers.Add(1)
	}
}

// next chooses what to write.
func (c *clerk) next(n int) (id string, after row) {
	what := c.random.IntN(10)
	if what >= 4 {
		for id, now := range c.books { // any
			if !now.there {
				continue
			}
			if what >= 7 {
				return id, row{}
			}
			after = row{there: true, text: fmt.Sprintf("%s %d again", c.name, n), size: now.size}
			if c.random.IntN(2) == 0 {
				after.size = c.size()
			}
			return id, after
		}
	}
	id = fmt.Sprintf("%s%013d", c.name, c.random.Int64N(1e13))
	return id, row{there: true, text: fmt.Sprintf("%s %d", c.name, n), size: c.size()}
}

func (c *clerk) size() int { return []int{0, 10, 3_000, 80_000, 300_000}[c.random.IntN(5)] }

// write makes a record what it is to be.
func (c *clerk) write(id string, after row) (answer, error) {
	now := c.books[id]
	path := records("shelf")
	method := http.MethodPost
	body := value("id", id)
	if now.there {
		path, method, body = path+"/"+id, http.MethodPatch, ""
	}
	if !after.there {
		return c.try(http.MethodDelete, path, "", "", nil)
	}
	body += value("text", after.text)
	switch {
	case after.size > 0: // a new file with each write: its content follows from the text
		body += file("file", "a.txt", content(after.text, after.size))
	case now.size > 0:
		body += value("file", "")
	}
	return c.try(method, path, "", "multipart/form-data; boundary="+boundary, strings.NewReader(body+end))
}

// audit compares the books with what the server has. Where no answer came,
// either state will do, and is the true one from now on.
func (c *clerk) audit(t *testing.T) (files []string) {
	t.Helper()
	for id, maybe := range c.doubt {
		if c.is(t, id, maybe) {
			c.books[id] = maybe
		}
	}
	clear(c.doubt)
	for id, want := range c.books {
		if !c.is(t, id, want) {
			got := c.get(t, records("shelf")+"/"+id, "")
			t.Errorf("%s should be %+v, is %d %s", id, want, got.status, got.body)
		}
		if !want.there {
			delete(c.books, id)
			continue
		}
		if want.size > 0 {
			rec := c.get(t, records("shelf")+"/"+id, "")
			files = append(files, id+"/"+field(rec.body, "file"))
		}
	}
	return files
}

// is tells whether a record is as the books say, its file included.
func (c *clerk) is(t *testing.T, id string, want row) bool {
	t.Helper()
	rec := c.get(t, records("shelf")+"/"+id, "")
	if !want.there {
		return rec.status == 404
	}
	name := field(rec.body, "file")
	if rec.status != 200 || field(rec.body, "text") != want.text || (name != "") != (want.size > 0) {
		return false
	}
	if name == "" {
		return true
	}
	got := c.get(t, "/api/files/shelf/"+id+"/"+name, "")
	if got.status != 200 || string(got.body) != content(want.text, want.size) {
		t.Errorf("%s: its file %s is not there whole: %d, %d bytes of %d", id, name, got.status, len(got.body), want.size)
	}
	return true
}

// newClerks are six clients.
func newClerks(a *api, answered *atomic.Int64) (clerks []*clerk) {
	for i := range 6 {
		clerks = append(clerks, &clerk{
			api: a, name: fmt.Sprint("c", i), random: rand.New(rand.NewPCG(uint64(i), 7)),
			books: map[string]row{}, doubt: map[string]row{}, answers: answered,
		})
	}
	return clerks
}

// killAfter lets the clerks write, and kills the server after so many writes more.
func killAfter(t *testing.T, a *api, clerks []*clerk, answered *atomic.Int64, writes int64) {
	t.Helper()
	var wg sync.WaitGroup
	for _, c := range clerks {
		c.api = a
		wg.Go(func() { c.run(t) })
	}
	enough := answered.Load() + writes
	a.until(t, "they write", func() bool { return answered.Load() >= enough || t.Failed() })
	a.Kill()
	wg.Wait()
}

// auditAll audits all clerks, and returns the files that there should be.
func auditAll(t *testing.T, a *api, clerks []*clerk) (want []string) {
	t.Helper()
	for _, c := range clerks {
		c.api = a
		want = append(want, c.audit(t)...)
	}
	return want
}

// TestKill ends the server without warning, again and again, while clients
// create, change and delete records with files.
func TestKill(t *testing.T) {
	rounds, writes := 4, int64(300)
	if long() {
		rounds, writes = 25, 1_000
	}
	s := newShelf(t, start(t))
	var answered atomic.Int64
	clerks := newClerks(s.api, &answered)
	for round := range rounds {
		killAfter(t, s.api, clerks, &answered, writes+int64(37*round)) // not always at the same point of a write
		if t.Failed() {
			return
		}

		// As if it had come in the middle of an upload, which is rare.
		if err := os.WriteFile(filepath.Join(s.Dir, "storage", ".tmp", "half"), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		s.api = startIn(t, s.Dir, nil)
		want := auditAll(t, s.api, clerks)
		t.Logf("round %d: %d writes answered so far, %d files", round, answered.Load(), len(want))
		s.onlyFiles(t, want)
		s.checkFile(t)
		s.healthy(t)
		if t.Failed() {
			return
		}
	}
	books := 0
	for _, c := range clerks {
		books += len(c.books)
	}
	if n := s.count(t, "shelf"); n != books {
		t.Errorf("%d records, the books have %d", n, books)
	}
}

// onlyFiles checks that these files (record/name) lie on disk and no others, and
// nothing half-written or undecided beside them.
func (s *shelf) onlyFiles(t *testing.T, want []string) {
	t.Helper()
	files, own := storedFiles(t, s.Dir)
	if len(own) > 0 {
		t.Errorf("left behind: %q", own)
	}
	for _, problem := range unlike(files, want) {
		t.Error(problem)
	}
}

// unlike says where files (collection/record/name) are not those that are wanted
// (record/name).
func unlike(files, want []string) (problems []string) {
	there := map[string]bool{}
	for _, f := range files {
		_, name, _ := strings.Cut(f, "/")
		there[name] = true
	}
	for _, name := range want {
		if !there[name] {
			problems = append(problems, fmt.Sprintf("the file %s is gone", name))
		}
		delete(there, name)
	}
	for name := range there {
		problems = append(problems, name+" belongs to no record")
	}
	return problems
}
