package web

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
)

func TestHeaders(t *testing.T) {
	common := http.Header{
		"Content-Type": {"application/json"}, "Vary": {"Origin"}, "X-Content-Type-Options": {"nosniff"},
		"X-Frame-Options": {"SAMEORIGIN"}, "X-Xss-Protection": {"1; mode=block"},
	}
	with := func(pairs ...string) http.Header {
		h := common.Clone()
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	preflight := http.Header{
		"Access-Control-Allow-Methods": {"GET,HEAD,PUT,PATCH,POST,DELETE"}, "Access-Control-Allow-Origin": {"*"},
		"Vary": {"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"},
	}
	asked := preflight.Clone()
	asked.Set("Access-Control-Allow-Headers", "content-type,authorization")
	for _, test := range []struct {
		name, method, url string
		headers           []string
		status            int
		want              http.Header
	}{
		{"answer", "GET", "/api/health", nil, 200, common},
		{"answer to an origin", "GET", "/api/health", []string{"Origin: http://a.b"}, 200, with("Access-Control-Allow-Origin", "*")},
		{"error", "GET", "/api/nope", nil, 404, common},
		{"error to an origin", "GET", "/api/nope", []string{"Origin: http://a.b"}, 404, with("Access-Control-Allow-Origin", "*")},
		{"options", "OPTIONS", "/api/health", nil, 204, http.Header{"Vary": {"Origin"}}},
		{"preflight", "OPTIONS", "/any/path", []string{"Origin: http://a.b"}, 204, preflight},
		{"preflight with headers", "OPTIONS", "/api/health",
			[]string{"Origin: http://a.b", "Access-Control-Request-Headers: content-type,authorization"}, 204, asked},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := request(newFake().handler(t), test.method, test.url, "", test.headers...)
			if w.Code != test.status {
				t.Errorf("status %d, want %d", w.Code, test.status)
			}
			if diff := cmp.Diff(test.want, w.Header()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRestrictedOrigins(t *testing.T) {
	h := newFake().handler(t, func(c *Config) { c.Origins = []string{"https://app.example"} })
	for origin, want := range map[string]string{"https://app.example": "https://app.example", "https://other.example": ""} {
		for _, method := range []string{"GET", "OPTIONS"} {
			w := request(h, method, "/api/health", "", "Origin: "+origin)
			if got := w.Header().Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("%s from %s: allowed %q, want %q", method, origin, got, want)
			}
		}
	}
}

func TestSharedHeadersStayAsTheyAre(t *testing.T) {
	extra := Route{Pattern: "GET /own", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Add("Vary", "Cookie") })}
	h := newFake().handler(t, func(c *Config) { c.Extra = []Route{extra} })
	if got := request(h, "GET", "/own", "").Header()["Vary"]; !cmp.Equal(got, []string{"Origin", "Cookie"}) {
		t.Errorf("Vary of the own route: %q", got)
	}
	if got := request(h, "GET", "/api/health", "").Header()["Vary"]; !cmp.Equal(got, []string{"Origin"}) {
		t.Errorf("Vary afterwards: %q", got)
	}
}

func TestErrors(t *testing.T) {
	generic := func(status string) string {
		return `{"data":{},"message":"` + genericMessage + `","status":` + status + "}\n"
	}
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"unknown", errors.New("secret detail"), generic("500")},
		{"internal", &pando.Error{Message: "secret", Data: pando.FieldErrors{"x": nil}}, generic("500")},
		{"invalid", &pando.Error{Kind: pando.KindInvalid}, generic("400")},
		{"sentence", pando.Invalid("no such thing"), `{"data":{},"message":"No such thing.","status":400}` + "\n"},
		{"unauthenticated", &pando.Error{Kind: pando.KindUnauthenticated},
			`{"data":{},"message":"Missing or invalid authentication.","status":401}` + "\n"},
		{"forbidden", &pando.Error{Kind: pando.KindForbidden},
			`{"data":{},"message":"You are not allowed to perform this request.","status":403}` + "\n"},
		{"not found", pando.NotFound(), `{"data":{},"message":"The requested resource wasn't found.","status":404}` + "\n"},
		{"too large", &http.MaxBytesError{}, `{"data":{},"message":"Request entity too large.","status":413}` + "\n"},
		{"too many", &pando.Error{Kind: pando.KindTooMany}, `{"data":{},"message":"Too Many Requests.","status":429}` + "\n"},
		{"fields", &pando.Error{Kind: pando.KindInvalid, Message: "Failed.", Data: pando.FieldErrors{
			"b": &pando.FieldError{Code: "c", Message: "<M>."},
			"a": pando.FieldErrors{"0": tooLong(3, 0)},
			"s": errors.New("stray"),
		}}, `{"data":{"a":{"0":{"code":"validation_length_too_long","message":"The length must be no more than 3.","params":{"max":3,"min":0}}},` +
			`"b":{"code":"c","message":"\u003cM\u003e."},"s":{"code":"validation_invalid_value","message":"Invalid value."}},` +
			`"message":"Failed.","status":400}` + "\n"},
		{"batch", batchFailure(2, pando.NotFound()),
			`{"data":{"requests":{"2":{"code":"batch_request_failed","message":"Batch request failed.","response":` +
				`{"data":{},"message":"The requested resource wasn't found.","status":404}}}},"message":"Batch transaction failed.","status":400}` + "\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake()
			f.err = test.err
			w := request(f.handler(t), "GET", createURL+"/x", "")
			if diff := cmp.Diff(test.want, w.Body.String()); diff != "" {
				t.Error(diff)
			}
			w = request(f.handler(t), "HEAD", createURL+"/x", "")
			if w.Body.Len() > 0 {
				t.Errorf("HEAD has a body: %s", w.Body)
			}
		})
	}
}

func TestPanicIsAnError(t *testing.T) {
	f := newFake()
	h := f.handler(t, func(c *Config) { c.Auth = nil })
	w := request(h, "GET", createURL+"/x", "", "Authorization: x")
	if w.Code != 500 || !strings.Contains(w.Body.String(), genericMessage) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestUnknownRoutes(t *testing.T) {
	h := newFake().handler(t)
	for _, r := range []string{"GET /", "GET /api", "GET /api/", "GET /api/health/", "POST /api/health", "PUT " + createURL, "DELETE " + createURL,
		"TRACE /api/health", "GET /nope.html", "GET /api/logs", "POST /api/collections/users/request-otp", "GET /api/collections/meta/oauth2-providers"} {
		method, url, _ := strings.Cut(r, " ")
		w := request(h, method, url, "")
		if w.Code != 404 || w.Body.String() != `{"data":{},"message":"The requested resource wasn't found.","status":404}`+"\n" {
			// A collection called "meta" is asked for by a guest: 401 is right as well.
			if w.Code != 401 {
				t.Errorf("%s: %d %s", r, w.Code, w.Body)
			}
		}
	}
}

func TestAccess(t *testing.T) {
	for _, test := range []struct {
		auth    string
		status  int
		message string
	}{
		{"", 401, "The request requires valid record authorization token."},
		{"bad", 401, "The request requires valid record authorization token."},
		{"user", 403, "The authorized record is not allowed to perform this action."},
		{"super", 200, ""}, {"Bearer super", 200, ""}, {"bEARER super", 200, ""}, {"Bearer  super", 401, ""},
	} {
		w := request(newFake().handler(t), "GET", "/api/collections", "", "Authorization: "+test.auth)
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.message) {
			t.Errorf("%q: %d %s", test.auth, w.Code, w.Body)
		}
	}
}

func TestSuperuserIPs(t *testing.T) {
	for list, want := range map[string]int{"": 200, "10.0.0.0/8": 403, "192.0.2.0/24": 200, "192.0.2.1": 200, "::1": 403} {
		f := newFake()
		if list != "" {
			f.settings.SuperuserIPs = []string{list}
		}
		if w := request(f.handler(t), "GET", "/api/collections", "", "Authorization: super"); w.Code != want {
			t.Errorf("%q: status %d, want %d", list, w.Code, want)
		}
	}
}

func TestListQuery(t *testing.T) {
	for _, test := range []struct {
		query string
		want  pando.ListQuery
		bad   bool
	}{
		{"", pando.ListQuery{}, false},
		{"?page=2&perPage=-5&skipTotal=1&sort=-a%2Cb&filter=a%3D%27x+y%27&expand=e&fields=f",
			pando.ListQuery{Page: 2, PerPage: -5, SkipTotal: true, Sort: "-a,b", Filter: "a='x y'", Projection: pando.Projection{Expand: "e", Fields: "f"}}, false},
		{"?page=&perPage=&skipTotal=", pando.ListQuery{}, false},
		{"?page=1&page=x", pando.ListQuery{Page: 1}, false},
		{"?page=%zz&a;b=1", pando.ListQuery{}, false},
		{"?page=x&page=1", pando.ListQuery{}, true},
		{"?page=1.5", pando.ListQuery{}, true},
		{"?page=%2B1", pando.ListQuery{}, true},
		{"?page=99999999999999999999", pando.ListQuery{}, true},
		{"?perPage=x", pando.ListQuery{}, true},
		{"?skipTotal=x", pando.ListQuery{}, true},
		{"?skipTotal=TRUE", pando.ListQuery{SkipTotal: true}, false},
	} {
		f := newFake()
		w := request(f.handler(t), "GET", createURL+test.query, "")
		if test.bad {
			if w.Code != 400 || w.Body.String() != `{"data":{},"message":"`+genericMessage+`","status":400}`+"\n" {
				t.Errorf("%s: %d %s", test.query, w.Code, w.Body)
			}
			continue
		}
		if diff := cmp.Diff(test.want, f.list); w.Code != 200 || diff != "" {
			t.Errorf("%s: %d %s", test.query, w.Code, diff)
		}
	}
}

func TestRequestLooksUpQueryAndHeaders(t *testing.T) {
	f := newFake()
	request(f.handler(t), "GET", createURL+"/x?a=1&b=%20x&a=2", "", "X-My-Token: t", "Under_Score: u")
	for name, want := range map[string]string{"a": "1", "b": " x"} {
		if got, ok := f.req.Query(name); !ok || got != want {
			t.Errorf("query %s = %q, %v", name, got, ok)
		}
	}
	for name, want := range map[string]string{"x_my_token": "t", "under_score": "u"} {
		if got, ok := f.req.Header(name); !ok || got != want {
			t.Errorf("header %s = %q, %v", name, got, ok)
		}
	}
	if _, ok := f.req.Query("c"); ok {
		t.Error("a parameter that was not sent is found")
	}
	if _, ok := f.req.Header("x_other"); ok {
		t.Error("a header that was not sent is found")
	}
}

func TestRealIP(t *testing.T) {
	for _, test := range []struct {
		trusted  []string
		leftmost bool
		headers  []string
		want     string
	}{
		{nil, false, []string{"X-Forwarded-For: 1.2.3.4"}, "192.0.2.1"},
		{[]string{"X-Forwarded-For"}, false, []string{"X-Forwarded-For: 1.2.3.4, 5.6.7.8, junk"}, "5.6.7.8"},
		{[]string{"X-Forwarded-For"}, true, []string{"X-Forwarded-For: junk, 1.2.3.4, 5.6.7.8"}, "1.2.3.4"},
		{[]string{"X-Forwarded-For"}, false, []string{"X-Forwarded-For: 1.2.3.4", "X-Forwarded-For: 9.9.9.9"}, "9.9.9.9"},
		{[]string{"X-Forwarded-For"}, false, []string{"X-Forwarded-For: 2001:db8::1"}, "2001:0db8:0000:0000:0000:0000:0000:0001"},
		{[]string{"X-Real-Ip", "X-Forwarded-For"}, false, []string{"X-Real-Ip: junk", "X-Forwarded-For: 2.2.2.2"}, "2.2.2.2"},
		{[]string{"X-Real-Ip"}, false, nil, "192.0.2.1"},
	} {
		f := newFake()
		f.settings.TrustedProxy = pando.TrustedProxySettings{Headers: test.trusted, UseLeftmostIP: test.leftmost}
		request(f.handler(t), "GET", createURL+"/x", "", test.headers...)
		if f.req.RealIP != test.want {
			t.Errorf("%v %v: %s, want %s", test.trusted, test.headers, f.req.RealIP, test.want)
		}
	}
	for addr, want := range map[string]string{"127.0.0.1:80": "127.0.0.1", "[::1]:80": "0000:0000:0000:0000:0000:0000:0000:0001", "[fe80::1%eth0]:1": "fe80:0000:0000:0000:0000:0000:0000:0001"} {
		if got := remoteIP(addr); got != want {
			t.Errorf("remoteIP(%s) = %s, want %s", addr, got, want)
		}
	}
}

func TestHeaderLimit(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(newFake().handler(t), slog.New(slog.DiscardHandler))
	defer server.Close()
	go server.Serve(l)
	for size, want := range map[int]int{MaxHeaderBytes / 2: 200, 2 * MaxHeaderBytes: http.StatusRequestHeaderFieldsTooLarge} {
		req, err := http.NewRequest("GET", "http://"+l.Addr().String()+"/api/health", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Long", strings.Repeat("a", size))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%d bytes of headers: %d, want %d", size, res.StatusCode, want)
		}
	}
}
