package members

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pandobase/pando/test/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// prove has the tests run for longer, and hold the goals as they are.
var prove = os.Getenv("PANDO_PROVE") == "1"

type object = map[string]any

const notes = "/api/collections/notes/records"

// stage is a cluster behind load balancers, with a collection that everybody may use.
type stage struct {
	*target.Cluster
	lb   *target.Server // asks members who there is
	http *http.Client
	root string // the superuser's token
}

func newStage(t *testing.T) *stage {
	t.Helper()
	return stageOf(t, target.ClusterOptions{})
}

func stageOf(t *testing.T, o target.ClusterOptions) *stage {
	t.Helper()
	o.Replicas, o.Indirect = 1, true
	c := target.StartCluster(t, o)
	s := &stage{Cluster: c, lb: c.StartBalancer(t, c.Join()...), http: &http.Client{
		Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 50},
	}}
	t.Cleanup(s.http.CloseIdleConnections)
	var login struct{ Token string }
	s.must(t, "POST", "/api/collections/_superusers/auth-with-password", object{"identity": target.Email, "password": target.Password}, &login)
	s.root = login.Token
	s.must(t, "POST", "/api/collections", object{
		"name": "notes", "type": "base", "listRule": "", "viewRule": "", "createRule": "", "updateRule": "",
		"fields": []any{object{"name": "n", "type": "number"}},
	}, nil)
	return s
}

// ask sends a request to a server; status 0 is no answer.
func (s *stage) ask(ctx context.Context, to *target.Server, method, path string, body any, header ...string) (status int, answer []byte, err error) {
	var in io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		in = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, to.URL+path, in)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

// must asks the load balancer as the superuser.
func (s *stage) must(t *testing.T, method, path string, body, out any) {
	t.Helper()
	status, answer, err := s.ask(t.Context(), s.lb, method, path, body, "Authorization", s.root)
	if err != nil || status/100 != 2 {
		t.Fatalf("%s %s: %d %s, %v", method, path, status, answer, err)
	}
	if out != nil {
		must(t, json.Unmarshal(answer, out))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// upstreams are what a load balancer knows, by private address: their states.
func (s *stage) upstreams(t *testing.T, lb *target.Server) map[string]string {
	t.Helper()
	res, err := s.http.Get(lb.Admin + "/status")
	must(t, err)
	defer res.Body.Close()
	var status struct {
		Upstreams []struct{ Address, State string }
	}
	must(t, json.NewDecoder(res.Body).Decode(&status))
	states := map[string]string{}
	for _, u := range status.Upstreams {
		states[u.Address] = u.State
	}
	return states
}

// takesPart tells whether requests go to a member.
func takesPart(state string) bool { return slices.Contains([]string{"up", "ramping"}, state) }

// all waits until requests go to all members, by every one of these load balancers.
func (s *stage) all(t *testing.T, lbs ...*target.Server) {
	t.Helper()
	for _, lb := range lbs {
		within(t, 10*time.Second, "requests go to all members", func() bool {
			now := s.upstreams(t, lb)
			return len(now) == len(s.Members) && !slices.ContainsFunc(s.Members, func(m *target.Member) bool { return !takesPart(now[m.Private]) })
		})
	}
}

// within waits for something, and tells how long it took.
func within(t *testing.T, d time.Duration, what string, f func() bool) time.Duration {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		switch ok, took := f(), time.Since(began); {
		case ok:
			return took
		case took > d:
			t.Fatalf("not within %s: %s", d, what)
		}
	}
}

// pando runs a command of pando on the cluster's database.
func (s *stage) pando(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.Pando(t.Context(), append(args, "--database", s.URL(s.Database, "postgres"))...)
	if err != nil {
		t.Fatalf("pando %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// path is that of a note.
func path(id string) string { return fmt.Sprint(notes, "/", id) }
