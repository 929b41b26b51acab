package lb

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// v2 is a version 2 header.
func v2(command, family byte, payload []byte) string {
	b := append([]byte{}, proxyV2...)
	b = append(b, 0x20|command, family, byte(len(payload)>>8), byte(len(payload)))
	return string(append(b, payload...))
}

var (
	v4payload = []byte{203, 0, 113, 7, 10, 0, 0, 1, 0x1f, 0x90, 0, 80}
	v6payload = append(append(bytes.Repeat([]byte{0x20, 1}, 8), bytes.Repeat([]byte{0xfd, 0}, 8)...), 0x1f, 0x90, 0, 80)
)

var proxyHeaders = []struct {
	text, want string // want "": none that can be read; "-": no address
}{
	{"PROXY TCP4 203.0.113.7 10.0.0.1 8080 80\r\n", "203.0.113.7:8080"},
	{"PROXY TCP6 2001:db8::1 fd00::1 8080 80\r\n", "[2001:db8::1]:8080"},
	{"PROXY UNKNOWN\r\n", "-"},
	{"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "-"},
	{v2(1, 0x11, v4payload), "203.0.113.7:8080"},
	{v2(1, 0x11, append(bytes.Clone(v4payload), 4, 0, 1, 0)), "203.0.113.7:8080"}, // with an extra
	{v2(1, 0x21, v6payload), "[2001:2001:2001:2001:2001:2001:2001:2001]:8080"},
	{v2(0, 0x00, nil), "-"},
	{v2(1, 0x00, nil), "-"},
	{v2(2, 0x11, v4payload), ""},
	{v2(1, 0x11, v4payload[:4]), ""},
	{v2(1, 0x12, v4payload), ""}, // UDP
	{"PROXY TCP4 203.0.113.7 10.0.0.1 8080 80\n", ""},
	{"PROXY TCP4 203.0.113.7 10.0.0.1 08080 80\r\n", ""},
	{"PROXY TCP4 203.0.113.7 10.0.0.1 99999 80\r\n", ""},
	{"PROXY TCP4 ::1 ::1 1 2\r\n", ""},
	{"PROXY TCP6 203.0.113.7 10.0.0.1 1 2\r\n", ""},
	{"PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n", ""},
	{"PROXY TCP4  203.0.113.7 10.0.0.1 1 2\r\n", ""},
	{"PROXY TCP4 203.0.113.7\r\n", ""},
	{"PROXY " + strings.Repeat("x", 200) + "\r\n", ""},
	{"GET / HTTP/1.1\r\n\r\n", ""},
	{"", ""},
}

func TestReadProxyHeader(t *testing.T) {
	for _, c := range proxyHeaders {
		r := bufio.NewReader(strings.NewReader(c.text + "GET"))
		ap, err := readProxyHeader(r)
		got := ""
		switch {
		case err == nil && ap.IsValid():
			got = ap.String()
		case err == nil:
			got = "-"
		}
		if got != c.want {
			t.Errorf("%q: %q, %v; want %q", c.text, got, err, c.want)
		}
		if rest, _ := io.ReadAll(r); err == nil && string(rest) != "GET" {
			t.Errorf("%q: then %q is left", c.text, rest)
		}
	}
}

// FuzzProxyHeader: whatever comes, it is bounded; and what was read as an address is
// written and read as the same.
func FuzzProxyHeader(f *testing.F) {
	for _, c := range proxyHeaders {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		ap, err := readProxyHeader(bufio.NewReaderSize(r, 16))
		if used := len(b) - r.Len(); used > 16+maxProxyV2+16 {
			t.Fatalf("read %d bytes", used)
		}
		if err != nil || !ap.IsValid() || ap.Addr().Is4In6() {
			return
		}
		again, err := readProxyHeader(bufio.NewReader(bytes.NewReader(appendProxyV1(nil, ap, ap))))
		if err != nil || again != ap {
			t.Fatalf("%v became %v, %v", ap, again, err)
		}
	})
}

// TestProxyProtocol: the address is believed from --proxy-from, and needed there; from
// elsewhere a header is no request.
func TestProxyProtocol(t *testing.T) {
	who := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("X-Forwarded-For")) }
	const request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	trusting := start(t, Config{ProxyFrom: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, who)
	for _, header := range []string{"PROXY TCP4 203.0.113.7 10.0.0.1 8080 80\r\n", v2(1, 0x11, v4payload)} {
		if got := trusting.raw(header + request); !strings.HasSuffix(got, "203.0.113.7") {
			t.Errorf("%q", got)
		}
	}
	if got := trusting.raw(v2(0, 0, nil) + request); !strings.HasSuffix(got, "127.0.0.1") {
		t.Errorf("LOCAL: %q", got)
	}
	if got := trusting.raw(request); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
		t.Errorf("without a header: %q", got)
	}
	if n := trusting.b.clients.count(); n != 0 {
		t.Errorf("%d connections are counted after all have gone", n)
	}
	other := start(t, Config{ProxyFrom: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, who)
	if got := other.raw("PROXY TCP4 203.0.113.7 10.0.0.1 8080 80\r\n" + request); !strings.Contains(got, "400 Bad Request") {
		t.Errorf("from elsewhere: %q", got)
	}
}

// TestProxyHeaderInPieces: it may come slowly, together with the request.
func TestProxyHeaderInPieces(t *testing.T) {
	g := start(t, Config{ProxyFrom: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}},
		func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("X-Forwarded-For")) })
	c, err := net.Dial("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.(*net.TCPConn).SetNoDelay(true)
	for _, b := range []byte("PROXY TCP6 2001:db8::1 fd00::1 8080 80\r\nGET / HTTP/1.0\r\n\r\n") {
		c.Write([]byte{b})
	}
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if got, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(got), "2001:db8::1") {
		t.Errorf("%q, %v", got, err)
	}
}
