package dataset

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando/bench/internal/server"
)

func TestIDsAreValidAndDistinct(t *testing.T) {
	valid := regexp.MustCompile(`^[a-z0-9]{15}$`)
	seen := make(map[string]bool)
	for i := range 20_000 {
		for _, id := range []string{RecordID(i), UserID(i)} {
			if seen[id] || !valid.MatchString(id) {
				t.Fatalf("id %q of %d is invalid or taken", id, i)
			}
			seen[id] = true
		}
	}
}

// TestRecordsStayTheSame pins one record: loaded directories are kept, so the
// records may change only together with version.
func TestRecordsStayTheSame(t *testing.T) {
	got := Spec{Records: 10_000, Users: 100}.Record(4711)
	got.Body = got.Body[:24]
	want := Record{
		ID: "8fxmzzeolp93733", Title: "stands gold fire stands many", Body: "under the the the tall s",
		Category: "category-10", Lot: "lot-157", Points: 728, Due: "2026-02-24 20:20:00.000Z", Owner: "wr6bhzntrsi96bw",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record 4711 changed (raise version):\n%s", diff)
	}
}

func TestRecordSize(t *testing.T) {
	spec := Spec{Records: 1000, Users: 100}
	total := 0
	for i := range spec.Records {
		b, err := json.Marshal(spec.Record(i))
		if err != nil {
			t.Fatal(err)
		}
		// What a server adds: collectionId, collectionName, created, updated.
		total += len(b) + len(`"collectionId":"pbc_1234567890","collectionName":"items","created":"2026-01-01 00:00:00.000Z","updated":"2026-01-01 00:00:00.000Z",`)
	}
	if mean := total / spec.Records; mean < 550 || mean > 650 {
		t.Errorf("a record has %d bytes on average, want about 600", mean)
	}
}

func TestOwnersAndLots(t *testing.T) {
	spec := Spec{Records: 10_000, Users: 1000}
	owned := make([]int, spec.Users)
	lots := make(map[string]int)
	for i := range spec.Records {
		owned[spec.Owner(i)]++
		lots[spec.Record(i).Lot]++
	}
	for user, n := range owned {
		if n == 0 || n > 40 {
			t.Errorf("user %d owns %d of %d records", user, n, spec.Records)
		}
	}
	if len(lots) != spec.Lots() {
		t.Errorf("%d lots, want %d", len(lots), spec.Lots())
	}
	if n := lots[LotName(7)]; n != Lot {
		t.Errorf("lot 7 has %d records, want %d", n, Lot)
	}
}

func TestWriteRecords(t *testing.T) {
	spec := Spec{Records: 50, Users: 10, Logins: 3}
	dir := t.TempDir()
	records, users := filepath.Join(dir, "items.ndjson"), filepath.Join(dir, "users.ndjson")
	if err := WriteRecords(records, spec); err != nil {
		t.Fatal(err)
	}
	if err := WriteUsers(users, spec, spec.CanLogIn()); err != nil {
		t.Fatal(err)
	}
	var r Record
	if n := lastLine(t, records, &r); n != 50 {
		t.Errorf("%d records, want 50", n)
	}
	if diff := cmp.Diff(spec.Record(49), r); diff != "" {
		t.Errorf("last record:\n%s", diff)
	}
	var u User
	if n := lastLine(t, users, &u); n != 7 {
		t.Errorf("%d users, want the 7 who do not log in", n)
	}
	if u.ID != UserID(9) || u.Password != "" {
		t.Errorf("last user %+v", u)
	}
}

// lastLine decodes the last line of a file into v and returns their number.
func lastLine(t *testing.T, path string, v any) int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	var last []byte
	for s := bufio.NewScanner(f); s.Scan(); n++ {
		last = append(last[:0], s.Bytes()...)
	}
	if err := json.Unmarshal(last, v); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSpecNames(t *testing.T) {
	names := make(map[string]Spec)
	for _, s := range []Spec{
		{Records: 10_000, Users: 100}, {Records: 10_000, Users: 1000}, {Records: 10_000, Users: 100, Owned: true},
		{Records: 10_000, Users: 100, Indexed: true}, {Records: 10_000, Users: 100, Logins: 10},
	} {
		if other, taken := names[s.String()]; taken {
			t.Errorf("%+v and %+v are both named %s", s, other, s)
		}
		names[s.String()] = s
	}
}

func TestPruneKeepsTwoBuilds(t *testing.T) {
	s, spec := &Store{Root: t.TempDir()}, Spec{Records: 1, Users: 1}
	var paths []string
	for i := range 4 {
		bin := server.Binary{Kind: server.Pando, Hash: string(rune('a' + i))}
		path := s.Path(bin, spec)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		when := time.Unix(int64(1000+i), 0)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	other := s.Path(server.Binary{Kind: server.PocketBase, Hash: "a"}, spec)
	if err := os.MkdirAll(other, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.prune(server.Binary{Kind: server.Pando}, spec); err != nil {
		t.Fatal(err)
	}
	for path, keep := range map[string]bool{paths[0]: false, paths[1]: false, paths[2]: true, paths[3]: true, other: true} {
		if _, err := os.Stat(path); (err == nil) != keep {
			t.Errorf("%s: kept %v, want %v", path, err == nil, keep)
		}
	}
}

func TestCopy(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	if err := os.MkdirAll(filepath.Join(from, "storage", "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(from, "storage", "a", "f"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(from, "link")); err != nil {
		t.Fatal(err)
	}
	if err := new(Store).Copy(from, to); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(to, "storage", "a", "f"))
	if err != nil || string(b) != "content" {
		t.Errorf("copied %q, %v", b, err)
	}
	if _, err := os.Lstat(filepath.Join(to, "link")); !os.IsNotExist(err) {
		t.Errorf("a link was copied: %v", err)
	}
}
