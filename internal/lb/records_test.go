package lb

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestRecords: however a client's requests are cut into records, and records into packets,
// each is answered in its turn, by the fast path.
func TestRecords(t *testing.T) {
	s := &scripted{}
	g := run(t, way{secure: true}.of(Config{Upstreams: []Upstream{{Address: s.start(t)}}}))
	for name, cut := range map[string]struct{ record, packet int }{
		"a record each":            {0, 0},
		"and all in a packet":      {0, 1 << 14},
		"a byte each":              {1, 0},
		"all in one":               {1 << 14, 0},
		"many records in a packet": {7, 1 << 14},
		"packets of 13 bytes":      {50, 13},
		"packets of 700 bytes":     {600, 700},
	} {
		const n = 30
		took, passed := time.Minute, 0
		for try := 0; try < 3 && (took > blindFor || passed < n/3); try++ { // a machine that is busy may take that long too
			took, passed = sendRecords(t, g, name, n, cut.record, cut.packet)
		}
		if took > blindFor {
			t.Errorf("%s: it took %s: a record was there, and was not looked for", name, took)
		}
		if passed < n/3 { // one that takes long is lent
			t.Errorf("%s: the fast path took %d of %d", name, passed, n)
		}
	}
}

// sendRecords sends n requests, in records and packets of these sizes, and tells how long
// their answers take, and how many the fast path took; record 0: one for each request.
func sendRecords(t *testing.T, g *ground, name string, n, record, packet int) (took time.Duration, passed int) {
	t.Helper()
	nc, err := net.Dial("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	packets := &packer{Conn: nc}
	c := tls.Client(packets, anybody)
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	began, before := time.Now(), g.b.passed.Load()
	packets.size = packet
	go func() {
		all := ""
		for i := range n {
			if all += get(fmt.Sprint("/", i)); record == 0 {
				io.WriteString(c, all)
				all = ""
			}
		}
		for all != "" {
			m := min(record, len(all))
			io.WriteString(c, all[:m])
			all = all[m:]
		}
		packets.flush()
	}()
	r := bufio.NewReader(c)
	for i := range n {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != fmt.Sprint("/", i) {
			t.Fatalf("%s: %q, %v", name, body, err)
		}
	}
	return time.Since(began), int(g.b.passed.Load() - before)
}

// packer writes packets of one size; 0: as they come.
type packer struct {
	net.Conn
	size int
	held []byte
}

func (p *packer) Write(b []byte) (int, error) {
	if p.size == 0 {
		return p.Conn.Write(b)
	}
	for p.held = append(p.held, b...); len(p.held) >= p.size; p.held = p.held[p.size:] {
		if _, err := p.Conn.Write(p.held[:p.size]); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

func (p *packer) flush() {
	if len(p.held) > 0 {
		p.Conn.Write(p.held)
	}
}

// sealer is a client of TLS 1.3 that writes records of any kind.
type sealer struct {
	net.Conn
	tls  *tls.Conn // to read
	aead cipher.AEAD
	iv   []byte
	n    uint64
}

func newSealer(t *testing.T, addr string) *sealer {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	var log bytes.Buffer
	config := anybody.Clone()
	config.KeyLogWriter = &log
	s := &sealer{Conn: nc, tls: tls.Client(nc, config)}
	if err := s.tls.Handshake(); err != nil {
		t.Fatal(err)
	}
	hash, size := sha256.New, 16
	switch suite := s.tls.ConnectionState().CipherSuite; suite {
	case tls.TLS_AES_128_GCM_SHA256:
	case tls.TLS_AES_256_GCM_SHA384:
		hash, size = sha512.New384, 32
	default:
		t.Skipf("records are sealed here with AES-GCM only, and this machine, for want of instructions for it, speaks %s", tls.CipherSuiteName(suite))
	}
	var secret []byte
	for line := range strings.Lines(log.String()) {
		if f := strings.Fields(line); f[0] == "CLIENT_TRAFFIC_SECRET_0" {
			secret, _ = hex.DecodeString(f[2])
		}
	}
	expand := func(label string, n int) []byte {
		label = "tls13 " + label
		b, err := hkdf.Expand(hash, secret, string([]byte{0, byte(n), byte(len(label))})+label+"\x00", n)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	block, err := aes.NewCipher(expand("key", size))
	if err != nil {
		t.Fatal(err)
	}
	if s.aead, err = cipher.NewGCM(block); err != nil {
		t.Fatal(err)
	}
	s.iv = expand("iv", 12)
	return s
}

// records are application data, or whatever kind says, in one packet.
func (s *sealer) records(kind byte, texts ...string) {
	var out []byte
	for _, text := range texts {
		inner := append([]byte(text), kind)
		head := []byte{23, 3, 3, byte((len(inner) + 16) >> 8), byte(len(inner) + 16)}
		nonce := bytes.Clone(s.iv)
		for i := range 8 {
			nonce[11-i] ^= byte(s.n >> (8 * i))
		}
		s.n++
		out = s.aead.Seal(append(out, head...), nonce, inner, head)
	}
	s.Conn.Write(out)
}

// TestUselessRecords: empty records among others mean nothing; a flood of what advances
// nothing ends the connection, as does what may not come any more.
func TestUselessRecords(t *testing.T) {
	const data, handshake, alert = 23, 22, 21
	g := start(t, way{secure: true}.of(Config{}), func(http.ResponseWriter, *http.Request) {})
	answers := func(s *sealer, n int) {
		t.Helper()
		s.tls.SetDeadline(time.Now().Add(5 * time.Second))
		r := bufio.NewReader(s.tls)
		for range n {
			if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 200 {
				t.Fatalf("%v, %v", resp, err)
			}
		}
	}
	one := get("/")
	s := newSealer(t, g.addr)
	s.records(data, "", one[:5], "", "", one[5:], "", one, "")
	answers(s, 2)
	s.records(data, "")
	s.records(data, one)
	answers(s, 1)
	if g.b.passed.Load() == 0 {
		t.Error("nothing goes through the fast path")
	}
	s.records(data, make([]string, 40)...)
	if got := ends(t, s.tls); got != "" {
		t.Errorf("%q", got)
	}
	for name, text := range map[string]string{"key updates": strings.Repeat("\x18\x00\x00\x01\x00", 40), "another handshake": "\x01\x00\x00\x02xx", "nothing of a handshake": ""} {
		for _, before := range []int{0, 1} {
			s := newSealer(t, g.addr)
			for range before {
				s.records(data, one)
				answers(s, 1)
			}
			s.records(handshake, text)
			if got := ends(t, s.tls); got != "" {
				t.Errorf("%s: %q", name, got)
			}
		}
	}
	s = newSealer(t, g.addr)
	s.records(data, one[:9])
	s.records(alert, "\x01\x00") // goodbye in the middle of a request
	if got := ends(t, s.tls); !strings.HasPrefix(got, "HTTP/1.1 400 ") && got != "" {
		t.Errorf("half a request: %q", got)
	}
	eventually(t, "all are gone", func() bool { return g.b.clients.count() == 0 })
}
