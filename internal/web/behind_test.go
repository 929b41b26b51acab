package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const openView = "/api/collections/open/records/x"

// TestIndirect: where only load balancers are to come, everybody else is told so, and
// health checks of the machine are answered.
func TestIndirect(t *testing.T) {
	h := newFake().handler(t, func(c *Config) { c.Indirect = true })
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", openView, 421}, {"POST", "/api/collections/open/records", 421}, {"OPTIONS", openView, 421}, {"GET", "/", 421},
		{"GET", "/api/health", 421}, {"GET", "/_/install/x", 421}, {"HEAD", openView, 421}, {"POST", "/livez", 421},
		{"GET", "/livez", 200}, {"GET", "/readyz", 200}, {"HEAD", "/readyz", 200},
	} {
		w := request(h, c.method, c.path, "", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https")
		if w.Code != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, w.Code, c.want)
		}
		if w.Code == 421 && c.method != "HEAD" && (w.Header().Get("Content-Type") != "application/json" ||
			!strings.Contains(w.Body.String(), `"status":421`) || !strings.Contains(w.Body.String(), "--direct")) {
			t.Errorf("%s %s: %v %s", c.method, c.path, w.Header(), w.Body)
		}
		if w.Header().Get("X-Pando-Load") != "" {
			t.Errorf("%s %s tells its load", c.method, c.path)
		}
	}
	if w := request(h.Behind(), "GET", openView, ""); w.Code != 200 {
		t.Errorf("through a load balancer: %d", w.Code)
	}
}

// TestBehind: what a load balancer says of the client is believed when it comes over
// its own connection, and the last address is the one that it wrote.
func TestBehind(t *testing.T) {
	f := newFake()
	h := f.handler(t)
	for _, c := range []struct {
		name    string
		h       http.Handler
		headers []string
		want    string
	}{
		{"a load balancer", h.Behind(), []string{"X-Forwarded-For: 198.51.100.7"}, "198.51.100.7"},
		{"IPv6", h.Behind(), []string{"X-Forwarded-For: 2001:db8::7"}, "2001:0db8:0000:0000:0000:0000:0000:0007"},
		{"what the client wrote before", h.Behind(), []string{"X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 2.2.2.2, 198.51.100.7"}, "198.51.100.7"},
		{"no address", h.Behind(), []string{"X-Forwarded-For: nonsense"}, "192.0.2.1"},
		{"none at all", h.Behind(), nil, "192.0.2.1"},
		{"other headers", h.Behind(), []string{"X-Real-IP: 1.1.1.1", "Forwarded: for=1.1.1.1"}, "192.0.2.1"},
		{"a client", h, []string{"X-Forwarded-For: 198.51.100.7"}, "192.0.2.1"},
	} {
		w := request(c.h, "GET", openView, "", c.headers...)
		if w.Code != 200 || f.req.RealIP != c.want {
			t.Errorf("%s: %d, the client is %s, want %s", c.name, w.Code, f.req.RealIP, c.want)
		}
		if has := w.Header().Get("X-Pando-Load") != ""; has == (c.name == "a client") {
			t.Errorf("%s: load %q", c.name, w.Header().Get("X-Pando-Load"))
		}
	}
}

// TestSecureIsTheClients: whether a client came over TLS says the load balancer, not
// the connection to it.
func TestSecureIsTheClients(t *testing.T) {
	var secure bool
	h := newFake().handler(t, func(c *Config) {
		c.Extra = []Route{{Pattern: "GET /secure", Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { secure = r.TLS != nil })}}
	})
	for proto, want := range map[string]bool{"https": true, "http": false, "": false} {
		r := httptest.NewRequest("GET", "https://private/secure", nil) // with TLS
		if proto != "" {
			r.Header.Set("X-Forwarded-Proto", proto)
		}
		h.Behind().ServeHTTP(httptest.NewRecorder(), r)
		if secure != want {
			t.Errorf("with %q it is secure: %v", proto, secure)
		}
	}
}
