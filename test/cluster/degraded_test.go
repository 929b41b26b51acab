package cluster

import (
	"net/http"
	"testing"

	"github.com/pandobase/pando/test/target"
)

// TestDegradedFail: while there is no primary, a server with --degraded fail refuses all
// that another answers with an Age, and is not ready.
func TestDegradedFail(t *testing.T) {
	s := newStage(t, target.ClusterOptions{Members: 1, Replicas: 1})
	bin, err := target.BuildPando(t.Context())
	must(t, err)
	stale := s.Members[0]
	fail, err := s.AddOf(t.Context(), t, bin, "PANDO_DEGRADED=fail", "PANDO_READ_WAIT=500ms", "PANDO_WRITE_WAIT=500ms")
	must(t, err)
	s.must(t, stale, "POST", "/api/collections", object{"name": "closed", "type": "base"}, nil)
	const superusers = "/api/collections/_superusers/"
	tests := []struct {
		name, method, path string
		body               any
		status             int
	}{
		{"a record that lies in the cache", "GET", records + "/" + keyID(0), nil, http.StatusOK},
		{"a list", "GET", records + "?sort=-n", nil, http.StatusOK},
		{"no body", "HEAD", records + "/" + keyID(0), nil, http.StatusOK},
		{"a closed rule, which reads nothing", "GET", "/api/collections/closed/records", nil, http.StatusForbidden},
		{"a login", "POST", superusers + "auth-with-password", object{"identity": stale.Email, "password": stale.Password}, http.StatusOK},
		{"a refreshed token", "POST", superusers + "auth-refresh", nil, http.StatusOK},
		{"readiness", "GET", "/readyz", nil, http.StatusOK},
	}
	usual := func() {
		t.Helper()
		s.ready(t)
		for _, c := range tests {
			for _, m := range s.Members {
				if a := s.ask(t.Context(), m, c.method, c.path, "", c.body); a.status != c.status || a.old {
					t.Errorf("with a primary, %s: %s answers %v, with Age: %v", c.name, m.Name, a, a.old)
				}
			}
		}
	}
	usual()
	must(t, s.Primary().Kill())
	soon(t, "one goes on with what it knows", func() bool {
		a := s.ask(t.Context(), stale, "GET", records+"/"+keyID(0), "", nil)
		return a.status == http.StatusOK && a.old
	})
	soon(t, "the other refuses", func() bool {
		return s.ask(t.Context(), fail, "GET", records+"/"+keyID(0), "", nil).status == http.StatusServiceUnavailable
	})
	for _, c := range tests {
		if a := s.ask(t.Context(), stale, c.method, c.path, "", c.body); a.status != c.status || !a.old {
			t.Errorf("without a primary, %s: %s answers %v, with Age: %v", c.name, stale.Name, a, a.old)
		}
		if a := s.ask(t.Context(), fail, c.method, c.path, "", c.body); a.status != http.StatusServiceUnavailable || a.old {
			t.Errorf("with --degraded fail, %s: %s answers %v, with Age: %v", c.name, fail.Name, a, a.old)
		}
	}
	must(t, s.Primary().Start(t.Context()))
	usual()
}
