package s3_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob/s3"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/test/s3server"
)

// What is wrong with the configuration is said in one line, with what to do, and
// without the secret.
func TestOpenErrors(t *testing.T) {
	gate, bucket := s3server.Bucket(t)
	good := s3server.URL(gate.Addr(), bucket)
	says := func(status int, code, more string) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>m</Message>%s</Error>`, code, more)
		}))
		t.Cleanup(srv.Close)
		return s3server.URL(strings.TrimPrefix(srv.URL, "http://"), "bucket")
	}
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	tls := httptest.NewUnstartedServer(http.NotFoundHandler())
	tls.Config.ErrorLog = log.New(io.Discard, "", 0)
	tls.StartTLS()
	t.Cleanup(tls.Close)
	const secret = "hunter2-hunter2"
	for _, tt := range []struct {
		name, url string
		change    func(*s3.Options)
		says      string
	}{
		{"bucket", s3server.URL(gate.Addr(), "nobucket"), nil, `There is no bucket "nobucket"`},
		{"key", good, func(o *s3.Options) { o.Key = "nobody" }, "PANDO_BLOB_KEY"},
		{"secret", good, func(o *s3.Options) { o.Secret = secret }, "PANDO_BLOB_SECRET"},
		{"no credentials", good, func(o *s3.Options) { o.Key = "" }, "There are no credentials"},
		{"refused", s3server.URL("127.0.0.1:1", "bucket"), nil, "connection refused"},
		{"no such host", s3server.URL("nobody.invalid", "bucket"), nil, "does not answer"},
		{"plain", strings.ReplaceAll(good, "http://", "https://"), nil, "write endpoint=http://"},
		{"certificate", strings.ReplaceAll(s3server.URL(strings.TrimPrefix(tls.URL, "https://"), "bucket"), "http://", "https://"), nil, "SSL_CERT_FILE"},
		{"not S3", s3server.URL(strings.TrimPrefix(other.URL, "http://"), "bucket"), nil, "correct bucket and endpoint"},
		{"region", says(400, "AuthorizationHeaderMalformed", "<Region>eu-1</Region>"), nil, "write region=eu-1"},
		{"denied", says(403, "AccessDenied", ""), nil, "does not let this key use bucket"},
		{"clock", says(403, "RequestTimeTooSkewed", ""), nil, "NTP"},
		{"expired", says(400, "ExpiredToken", ""), nil, "AWS_SESSION_TOKEN"},
		{"busy", says(503, "SlowDown", ""), nil, "Service Unavailable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options(t, tt.url, "one")
			o.Patience = 4 * time.Second
			if tt.change != nil {
				tt.change(&o)
			}
			s, err := s3.Open(t.Context(), o)
			if err == nil {
				s.Close()
				t.Fatal("it opened")
			}
			if k := pando.KindOf(err); k != pando.KindInvalid && k != pando.KindUnavailable {
				t.Errorf("kind %d", k)
			}
			text := err.Error()
			if !strings.Contains(text, tt.says) || strings.Contains(text, "\n") || !strings.HasSuffix(text, ".") {
				t.Errorf("%q does not say %q in one line", text, tt.says)
			}
			if strings.Contains(text, secret) || strings.Contains(text, localcluster.S3Secret) {
				t.Errorf("%q tells the secret", text)
			}
		})
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]s3.Address{
		"s3://my-bucket":                              {Bucket: "my-bucket", Endpoint: "s3.amazonaws.com", Region: "us-east-1"},
		"s3://my-bucket/a/b/?region=eu-1":             {Bucket: "my-bucket", Prefix: "a/b", Endpoint: "s3.eu-1.amazonaws.com", Region: "eu-1"},
		"s3://bkt?endpoint=host:9000":                 {Bucket: "bkt", Endpoint: "host:9000", Region: "us-east-1"},
		"s3://bkt?endpoint=http://[::1]:9000/":        {Bucket: "bkt", Endpoint: "[::1]:9000", Plain: true, Region: "us-east-1"},
		"s3://bkt?endpoint=https://h&path-style=true": {Bucket: "bkt", Endpoint: "h", Region: "us-east-1", PathStyle: "true"},
	} {
		got, err := s3.Parse(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if again, err := s3.Parse(got.String()); err != nil || again != got {
			t.Errorf("%s is printed as %s, which is %+v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{
		"", "s3:", "s3://", "s3:///x", "http://bucket", "s3://UPPER", "s3://bkt/../x", "s3://bkt/.dot", "s3://bkt?nothing=1",
		"s3://key:hunter2@bkt", "s3://bkt?secret=hunter2", "s3://bkt?endpoint=http://key:hunter2@host", "s3://bkt?endpoint=ftp://h",
		"s3://bkt?endpoint=https://h/hunter2", "s3://bkt?path-style=yes", "s3://bkt?endpoint=a&endpoint=b", "s3://bkt?endpoint=",
		"s3://bkt#hunter2", "s3://bkt/" + strings.Repeat("p", 201), "s3://bkt?%zz", "hunter2", "s3://bkt:hunter2",
	} {
		at, err := s3.Parse(text)
		if pando.KindOf(err) != pando.KindInvalid || err == nil {
			t.Errorf("%q: %+v, %v; want a KindInvalid error", text, at, err)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestExamine(t *testing.T) {
	gate, bucket := s3server.Bucket(t)
	f, err := s3.Examine(t.Context(), options(t, s3server.URL(gate.Addr(), bucket), "doctor"))
	if err != nil || f.Err != nil || f.Put == 0 || f.Get == 0 || f.Delete == 0 || f.Skew.Abs() > 2*time.Second || !f.Local || !f.Plain {
		t.Errorf("%+v, %v", f, err)
	}
	if empty, err := open(t, s3server.URL(gate.Addr(), bucket), "one").Empty(t.Context()); !empty || err != nil {
		t.Errorf("something is left: %v", err)
	}
	f, err = s3.Examine(t.Context(), options(t, s3server.URL(gate.Addr(), "nobucket"), "doctor"))
	if err != nil || f.Err == nil || f.Step != "open" {
		t.Errorf("%+v, %v", f, err)
	}
	ahead := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(20*time.Minute).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusForbidden)
	}))
	defer ahead.Close()
	f, err = s3.Examine(t.Context(), options(t, s3server.URL(strings.TrimPrefix(ahead.URL, "http://"), "bucket"), "doctor"))
	if err != nil || f.Err == nil || (f.Skew-20*time.Minute).Abs() > 2*time.Second {
		t.Errorf("a clock ahead: %+v, %v", f, err)
	}
}
