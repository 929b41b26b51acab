package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// asChild is the environment variable that makes the test binary another
// process: its value names the part to play.
const asChild = "PANDO_SQLITE_TEST_CHILD"

func TestMain(m *testing.M) {
	if part := os.Getenv(asChild); part != "" {
		if err := parts[part](os.Args[len(os.Args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, part, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// parts are what a child process can do with a data directory.
var parts = map[string]func(dir string) error{
	"oneshot": oneshot,
	"insert":  insertMany,
}

// child is a command that plays a part on dir.
func child(t *testing.T, part, dir string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, dir)
	cmd.Env = append(os.Environ(), asChild+"="+part)
	cmd.Stderr = os.Stderr
	return cmd
}

// eventually polls until ok, for what another process' write takes to be seen.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

// withPosts is a store with n posts and the index that it bumps.
func withPosts(t *testing.T, n int) (*Store, *pando.Collection, *position.Index) {
	t.Helper()
	index := position.NewIndex(0)
	s := open(t, Options{Dir: t.TempDir(), Index: index})
	c := savePosts(t, s, "posts")
	for i := range n {
		insert(t, s, post(c, number15(i)))
	}
	return s, c, index
}

func savePosts(t *testing.T, s *Store, name string) *pando.Collection {
	t.Helper()
	_, err := s.Write(t.Context(), func(tx store.Tx) error { return tx.SaveCollection(t.Context(), nil, posts(name)) })
	if err != nil {
		t.Fatal(err)
	}
	return s.Catalog().Collection(name)
}

func insert(t *testing.T, s *Store, r *pando.Record) position.N {
	t.Helper()
	n, err := s.Write(t.Context(), func(tx store.Tx) error { return tx.Insert(t.Context(), r) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func find(t *testing.T, s *Store, q store.Query) (page store.Page) {
	t.Helper()
	err := s.Read(t.Context(), func(r store.Reader) (err error) {
		page, err = r.Find(t.Context(), q)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func stamp(t *testing.T, s *Store) (n position.N) {
	t.Helper()
	if err := s.Read(t.Context(), func(r store.Reader) error { n = r.Stamp(); return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestForeignWriteIsNoticedWhenIdle(t *testing.T) {
	s, c, index := withPosts(t, 3)
	tags := []position.Tag{position.RecordTag(c.ID, number15(1))}
	for round := range 3 {
		if got := find(t, s, store.Query{Collection: c, Total: true}).Total; got != 3-round {
			t.Fatalf("round %d: total %d", round, got)
		}
		before := stamp(t, s)
		if !index.Valid(before, tags) {
			t.Fatal("a fresh fact is not valid")
		}
		shell(t, s.Path(), "DELETE FROM posts WHERE rowid = (SELECT max(rowid) FROM posts)")
		eventually(t, "the old fact is invalid", func() bool { return !index.Valid(before, tags) })
		after := stamp(t, s)
		if !index.Valid(after, tags) {
			t.Error("a new fact is not valid")
		}
		if page := find(t, s, store.Query{Collection: c, Total: true}); page.Total != 2-round || len(page.Records) != 2-round {
			t.Errorf("round %d: %d records, total %d", round, len(page.Records), page.Total)
		}
	}
}

// A write must not be answered at a position that would let a fact from before
// the other program's write live on.
func TestForeignWriteIsNoticedByTheNextWrite(t *testing.T) {
	s, c, index := withPosts(t, 2)
	for i := range 20 {
		find(t, s, store.Query{Collection: c, Total: true})
		before := stamp(t, s)
		shell(t, s.Path(), fmt.Sprintf("INSERT INTO posts (id, title) VALUES ('foreign%d', 'x')", i))
		n := insert(t, s, post(c, fmt.Sprint("own", i)))
		if n <= before {
			t.Errorf("position %d after %d", n, before)
		}
		if index.Valid(before, []position.Tag{position.RecordTag("any", "thing")}) {
			t.Error("a fact from before is valid")
		}
		if page := find(t, s, store.Query{Collection: c, Total: true}); page.Total != len(page.Records) || page.Total != 4+2*i {
			t.Errorf("%d records, total %d, want %d", len(page.Records), page.Total, 4+2*i)
		}
	}
}

// oneshot is a command such as `pando superuser upsert` beside a server.
func oneshot(dir string) error {
	s, err := Open(Options{Dir: dir})
	if err != nil {
		return err
	}
	ctx := context.Background()
	_, err = s.Write(ctx, func(tx store.Tx) error {
		if err := tx.SaveCollection(ctx, nil, posts("more")); err != nil {
			return err
		}
		old := tx.Catalog().Collection("posts")
		next := old.Clone()
		next.Fields = append(next.Fields, &pando.Field{ID: "f_extra", Name: "extra", Type: pando.FieldText, Options: &pando.TextOptions{}})
		if err := tx.SaveCollection(ctx, old, next); err != nil {
			return err
		}
		settings := *tx.Catalog().Settings
		settings.Meta.AppName = "Set beside"
		return errors.Join(
			tx.SaveSettings(ctx, &settings),
			tx.Insert(ctx, post(tx.Catalog().Collection("more"), "x")),
		)
	})
	return errors.Join(err, s.Close())
}

func TestOneShotCommandBesideAServer(t *testing.T) {
	s, _, _ := withPosts(t, 2)
	version := s.Catalog().Version
	if err := child(t, "oneshot", s.opts.Dir).Run(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the catalog is read again", func() bool { return s.Catalog().Version > version })
	cat := s.Catalog()
	if cat.Settings.Meta.AppName != "Set beside" || cat.Collection("posts").Field("extra") == nil {
		t.Error("the catalog is not what the command saved")
	}
	if got := find(t, s, store.Query{Collection: cat.Collection("more"), Total: true}); got.Total != 1 {
		t.Errorf("total %d", got.Total)
	}
	r := post(cat.Collection("posts"), "after")
	r.Set("extra", "new")
	insert(t, s, r)
	if got := find(t, s, store.Query{Collection: cat.Collection("posts"), Match: []store.Match{{Field: "extra", Value: "new"}}}); len(got.Records) != 1 {
		t.Errorf("%d records", len(got.Records))
	}
}

const manyInserts = 300

// insertMany inserts, and says before and after.
func insertMany(dir string) error {
	s, err := Open(Options{Dir: dir})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n')
	ctx := context.Background()
	c := s.Catalog().Collection("posts")
	for range manyInserts {
		n, err := s.Write(ctx, func(tx store.Tx) error { return tx.Insert(ctx, post(c, pando.NewID())) })
		if err != nil {
			return err
		}
		fmt.Println(n)
	}
	return s.Close()
}

func TestTwoProcessesWriteAtOnce(t *testing.T) {
	s, c, _ := withPosts(t, 0)
	cmd := child(t, "insert", s.opts.Dir)
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "ready" {
		t.Fatal("the other process does not start")
	}
	fmt.Fprintln(in, "go")
	seen := map[string]bool{}
	for range manyInserts {
		seen[fmt.Sprint(insert(t, s, post(c, pando.NewID())))] = true
	}
	for lines.Scan() {
		if seen[lines.Text()] {
			t.Errorf("position %s was answered by both", lines.Text())
		}
		seen[lines.Text()] = true
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	insert(t, s, post(c, "last")) // now the counts are those of both
	if page := find(t, s, store.Query{Collection: c, Total: true}); page.Total != 2*manyInserts+1 || len(page.Records) != page.Total {
		t.Errorf("%d records, total %d", len(page.Records), page.Total)
	}
	checkIntegrity(t, s)
}

func TestForeignLock(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), LockWait: 500 * time.Millisecond})
	c := savePosts(t, s, "posts")
	other, err := openConn(s.Path(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	if err := other.execOnce("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Write(t.Context(), func(tx store.Tx) error { return tx.Insert(t.Context(), post(c, "a")) })
	if pando.KindOf(err) != pando.KindUnavailable || !strings.Contains(err.Error(), "locked by another program") {
		t.Errorf("error is %v", err)
	}
	find(t, s, store.Query{Collection: c}) // reads go on
	if err := other.execOnce("COMMIT"); err != nil {
		t.Fatal(err)
	}
	insert(t, s, post(c, "a"))
}

// VACUUM, by whomever, keeps the order of insertion.
func TestVacuumKeepsOrder(t *testing.T) {
	s, c, _ := withPosts(t, 0)
	for i := range 50 {
		insert(t, s, post(c, number15(100-i)))
	}
	shell(t, s.Path(), "DELETE FROM posts WHERE rowid % 3 = 0; VACUUM")
	insert(t, s, post(c, number15(0)))
	want := []string{}
	for i := range 50 {
		if (i+1)%3 != 0 {
			want = append(want, number15(100-i))
		}
	}
	want = append(want, number15(0))
	got := []string{}
	for _, r := range find(t, s, store.Query{Collection: c}).Records {
		got = append(got, r.ID())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
