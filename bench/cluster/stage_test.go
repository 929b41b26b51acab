package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pandobase/pando/bench/internal/load"
	"github.com/pandobase/pando/test/target"
)

// stage is a cluster with records, which anybody may see and write.
type stage struct {
	*target.Cluster
	rows int
	root string // the superuser's token
}

// TestMain gives the relay between primary and replica, which lies in this process, its
// turn beside the load generators, each of which holds a thread.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(max(16, runtime.NumCPU()))
	os.Exit(m.Run())
}

type object = map[string]any

const (
	collection = "items"
	records    = "/api/collections/" + collection + "/records"
)

func newStage(b *testing.B, rows int) *stage {
	b.Helper()
	s := &stage{rows: rows, Cluster: target.StartCluster(b, target.ClusterOptions{
		Replicas: 2, Caches: 3, Synchronous: true, Straight: true, Flags: []string{"--shadow-reads", "off"}, // those are queries too
	})}
	m := s.Members[0]
	var login struct{ Token string }
	s.must(b, m, "POST", "/api/collections/_superusers/auth-with-password", object{"identity": m.Email, "password": m.Password}, &login)
	s.root = login.Token
	s.must(b, m, "POST", "/api/collections", object{
		"name": collection, "type": "base", "listRule": "", "viewRule": "", "updateRule": "", "createRule": "",
		"fields": []any{object{"name": "title", "type": "text"}, object{"name": "body", "type": "text"}, object{"name": "n", "type": "number"}},
	}, nil)
	_, err := s.SQL(b.Context(), fmt.Sprintf("INSERT INTO items (id, title, body, n)"+
		" SELECT 'key' || lpad(i::text, 12, '0'), 'Title ' || i, repeat('text of record ' || i || ' ', 20), 0 FROM generate_series(0, %d) i; ANALYZE items", rows-1))
	if err == nil {
		err = s.WaitReplayed(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	for _, m := range s.Members {
		s.answers(b, m)
	}
	return s
}

func (s *stage) answers(b *testing.B, m *target.Member) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	for {
		res, err := ask(ctx, m, "GET", records+"/"+keyID(0), "", nil)
		if err == nil && res.status == http.StatusOK {
			return
		}
		if !wait(ctx, 50*time.Millisecond) {
			b.Fatalf("%s does not answer: %d %s %v", m.Name, res.status, res.body, err)
		}
	}
}

// wait is a pause; false says that ctx has ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func keyID(i int) string { return fmt.Sprintf("key%012d", i) }

type answer struct {
	status int
	old    bool // marked with an Age
	body   []byte
}

func ask(ctx context.Context, m *target.Member, method, path, token string, body any) (answer, error) {
	var in io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		in = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, m.URL+path, in)
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header.Get("Age") != "", got}, err
}

func (s *stage) must(b *testing.B, m *target.Member, method, path string, body, out any) {
	b.Helper()
	res, err := ask(b.Context(), m, method, path, s.root, body)
	if err != nil || res.status/100 != 2 {
		b.Fatalf("%s %s: %d %s %v", method, path, res.status, res.body, err)
	}
	if out != nil {
		if err := json.Unmarshal(res.body, out); err != nil {
			b.Fatal(err)
		}
	}
}

// host is the address of a server's web API.
func host(m *target.Member) string { return strings.TrimPrefix(m.URL, "http://") }

// view appends the request for a record.
func view(dst []byte, m *target.Member, i int) []byte {
	return fmt.Appendf(dst, "GET %s/%s HTTP/1.1\r\nHost: %s\r\n\r\n", records, keyID(i), host(m))
}

// update appends the request that writes a record's number.
func update(dst []byte, m *target.Member, i int, n uint64) []byte {
	body := fmt.Sprintf(`{"n":%d}`, n%1e9)
	return fmt.Appendf(dst, "PATCH %s/%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		records, keyID(i), host(m), len(body), body)
}

// each loads every server at once, each with what of says. No answer may be wrong.
func (s *stage) each(b *testing.B, members []*target.Member, of func(*target.Member, *rand.Rand) load.Options) []load.Result {
	b.Helper()
	results, errs := make([]load.Result, len(members)), make([]error, len(members))
	var all sync.WaitGroup
	for i, m := range members {
		o := of(m, rand.New(rand.NewPCG(uint64(i), 7)))
		o.Addr = host(m)
		all.Go(func() { results[i], errs[i] = load.Run(b.Context(), o) })
	}
	all.Wait()
	for i, r := range results {
		if errs[i] != nil {
			b.Fatal(errs[i])
		}
		if r.Errors > 0 {
			b.Fatalf("%s: %d wrong answers of %d, the first: %s", members[i].Name, r.Errors, r.Errors+r.Completed, r.FirstError)
		}
	}
	return results
}

var (
	reads     = []load.Kind{{Name: "view", Status: http.StatusOK}}
	readsMade = []load.Kind{{Name: "view", Status: http.StatusOK}, {Name: "update", Status: http.StatusOK}}
)

// sum is that of a metric of every member, over the series whose labels contain with.
func (s *stage) sum(b *testing.B, members []*target.Member, metric, with string) (sum float64) {
	b.Helper()
	for _, m := range members {
		all, err := m.Metrics(b.Context(), metric)
		if err != nil {
			b.Fatal(err)
		}
		for labels, v := range all {
			if strings.Contains(labels, with) {
				sum += v
			}
		}
	}
	return sum
}

// warm has every server see every record.
func (s *stage) warm(b *testing.B, members []*target.Member) {
	b.Helper()
	s.each(b, members, func(m *target.Member, _ *rand.Rand) load.Options {
		next, conns := 0, 16
		return load.Options{Conns: conns, Kinds: reads, Duration: 5 * time.Minute, PerConn: (s.rows + conns - 1) / conns,
			Script: load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) {
				next++
				return view(dst, m, next%s.rows), load.Shot{}
			})}
	})
}
