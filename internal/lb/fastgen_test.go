package lb

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// generator makes requests and answers: mostly well formed, often unusual, now and then
// broken.
type generator struct {
	*rand.Rand
	b []byte
}

func newGenerator(seed uint64) *generator { return &generator{Rand: rand.New(rand.NewPCG(seed, 7))} }

func pick[T any](g *generator, list []T) T { return list[g.IntN(len(list))] }

// odds is true once in n.
func (g *generator) odds(n int) bool { return g.IntN(n) == 0 }

func (g *generator) add(text string) { g.b = append(g.b, text...) }

var (
	genMethods = strings.Fields("GET GET GET GET HEAD POST POST PUT PATCH DELETE OPTIONS")
	genOdd     = []string{"get", "TRACE", "CONNECT", "PRI", "GET\t", "", "GETX", "G\x00T", "POST ", "M-SEARCH"}
	genTargets = []string{"/", "/items?x=1&y=%zz;z", "/a%2fb", "/livez", "/livezz", "/%6civez", "/api/health", "/api/logs/x", "/api/logs", "/_/", "/_/x?y", "//x/y", "/a/../b", "/a;b=c:d@e", "/api/%68ealth"}
	genBadURIs = []string{"*", "http://other/x", "/a b", "/a\x7f", "/%zz", "/%4", "/\xc3\xa9", "/a#b", "/a?b#c", "?x", "", "x", "/[a]", "/{a}", "/a\"", "/?\"<>^", "/?\xff", "/%00", "/%"}
	genEnds    = []string{"\n", "\r\r\n", "\r\n ", "\r\n\t", " \r\n", "\r", "", "\x00\r\n", "\r\n\r\n"}
	genHeaders = []string{"Accept: */*", "accept: text/event-stream", "User-Agent: x", "user-agent:", "Cookie: a=b; c=d", "Cookie: e=f", "X-Empty:", "X-Tab:\ta\t", "X-Obs: \xe9\xff",
		"Connection: keep-alive", "Connection: Keep-Alive", "Authorization: Bearer x.y.z", "If-None-Match: \"x\"", "Accept-Encoding: gzip, br", "X-Long-Name-That-Goes-On-And-On-Beyond: 1",
		"X-Forwarded-For: 6.6.6.6", "x-forwarded-proto: https", "X-Forwarded-Something-Very-Long-Indeed-It-Is: x", "Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6", "X-Real-Ip : 1", "X_Forwarded_For: 6.6.6.6",
		"Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "Proxy-Authorization: x", "Proxy-Authenticate: x", "Priority: u=5", "Priority: i, u=6", "Priority: u=1", "Sec-Purpose: prefetch;x", "Purpose: prefetch",
		"Purpose: prefetched", "Content-Type: application/json", "Origin: http://x", "Http2-Settings: AAA", "Range: bytes=0-1", "X-Pando-Load: 0.5", "Date: Mon, 02 Jan 2006 15:04:05 GMT", "Expires: 0"}
	genFraming = []string{"Connection: close", "Connection: x-hop", "Connection: keep-alive, close", "Connection: upgrade", "Upgrade: h2c", "Upgrade: websocket", "TE: trailers", "TE: gzip", "Trailer: X",
		"Transfer-Encoding: chunked", "Transfer-Encoding: identity", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding : chunked", "Transfer-Encoding:\x0bchunked", "Expect: 100-continue", "Content-Length: 0", "Content-Length: 3",
		"Content-Length: +3", "Content-Length: 3, 3", "Content-Length:", "Content-Length: 0x3", "Content-Length: 03", "Content-Length: -1", "Content-Length: 99999999999999999999", "Content-Length: 3 ", "Content_Length: 3",
		"Host: y", "Host:", "host: x", "Host: x y", "Host: x/y", "Host: x@y", "Host : x", "No-Colon", ": empty", "Sp ace: x", " Folded: x", "\tFolded: x", "X: a\rb", "X: a\x00b", "X: \x7f", "Connection:", "Connection: keep-alive, keep-alive"}
	genHosts = []string{"x", "app.example:81", "[::1]:80", "10.0.0.1", "X-1.example", "a_b", "x,y", "x\"y", "%41", "[fe80::1%25eth0]"}
)

func (g *generator) end() {
	if g.odds(300) {
		g.add(pick(g, genEnds))
		return
	}
	g.add("\r\n")
}

func (g *generator) name(line string) {
	at := len(g.b)
	g.add(line)
	if g.odds(4) {
		for i := at; i < len(g.b) && g.b[i] != ':'; i++ {
			if c := g.b[i] | 0x20; 'a' <= c && c <= 'z' && g.odds(2) {
				g.b[i] ^= 0x20
			}
		}
	}
	g.end()
}

// request appends one request.
func (g *generator) request() {
	method := pick(g, genMethods)
	if g.odds(100) {
		method = pick(g, genOdd)
	}
	g.add(method)
	g.add(" ")
	if g.odds(40) {
		g.add(pick(g, genBadURIs))
	} else {
		g.add(pick(g, genTargets))
	}
	if g.odds(150) {
		g.add(pick(g, []string{" HTTP/1.0", " HTTP/2.0", " http/1.1", "  HTTP/1.1", " HTTP/1.1 ", "", " HTTP/1.10"}))
	} else {
		g.add(" HTTP/1.1")
	}
	g.end()
	length := -1
	if g.odds(3) || method == "POST" && !g.odds(5) {
		length = pick(g, []int{0, 1, 3, 22, 100})
	}
	hostAt, n := g.IntN(3), g.IntN(8)
	for i := 0; i <= max(n, hostAt); i++ {
		if i == hostAt && !g.odds(200) {
			host := pick(g, genHosts[:5])
			if g.odds(50) {
				host = pick(g, genHosts)
			}
			g.name("Host: " + host)
		}
		if i < n {
			if g.odds(60) {
				g.name(pick(g, genFraming))
			} else {
				g.name(pick(g, genHeaders))
			}
		}
	}
	if length >= 0 {
		said := length
		if g.odds(100) {
			said += pick(g, []int{-1, 1, 1000})
		}
		g.name("Content-Length: " + strconv.Itoa(said))
	}
	g.end()
	g.body(max(length, 0))
}

func (g *generator) body(n int) {
	const text = "GET /evil HTTP/1.1\r\nHost: evil\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	for n > 0 {
		at := g.IntN(len(text))
		piece := text[at:min(at+n, len(text))]
		g.add(piece)
		n -= len(piece)
	}
}

var (
	genStatuses = strings.Fields("200 200 200 200 201 206 301 302 304 204 400 401 404 413 429 500 502 503 504")
	genStrange  = []string{"HTTP/1.1 100 Continue", "HTTP/1.1 103 Early Hints", "HTTP/1.1 101 Switching Protocols", "HTTP/1.0 200 OK", "HTTP/1.1 200", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1  200 OK",
		"HTTP/2 200", "http/1.1 200 OK", "HTTP/1.1 +20 OK", "HTTP/1.1 099 X", "HTTP/1.1 600 X", "HTTP/1.1 999 X", "", "HTTP/1.1 200 \x00", "HTTP/1.1 200 a\rb", "ICY 200 OK", "HTTP/1.1 200OK", " HTTP/1.1 200 OK"}
	genAnswerHeaders = []string{"Content-Type: application/json", "Content-Type: text/html", "content-type: text/event-stream", "Date: Mon, 02 Jan 2006 15:04:05 GMT", "Server: x", "Set-Cookie: a=b", "Set-Cookie: c=d; Path=/",
		"Connection: keep-alive", "Connection: close", "Keep-Alive: timeout=5", "X-Pando-Load: 0.25", "X-Pando-Load: x", "X-Pando-Load: NaN", "X-Pando-Load: -1", "ETag: \"x\"", "Vary: Accept", "Cache-Control: no-store", "Location: /x",
		"X-Empty:", "X-Obs: \xe9", "Proxy-Authenticate: x", "Proxy-Connection: x", "Te: x", "Retry-After: 1", "Www-Authenticate: Basic", "Content-Encoding: gzip", "Alt-Svc: x", "X-Name-Longer-Than-Anything-That-Counts-Here: y"}
	genAnswerFraming = []string{"Connection: X-Private", "Connection: close, X-Private", "Connection: keep-alive, close", "Upgrade: h2c", "Trailer: X-Sum", "Transfer-Encoding: gzip", "Transfer-Encoding: identity", "Transfer-Encoding: Chunked",
		"Transfer-Encoding: chunked", "Transfer-Encoding: chunked, chunked", "Content-Length: 3", "Content-Length: 0", "Content-Length: 03", "Content-Length: +3", "Content-Length: 3, 3", "Content-Length:", "Content-Length: -1", "Content-Length : 3",
		"Content-Length: 99999999999999999999", "Folded: a\r\n b", "No-Colon", ": empty", "Sp ace: x", "X: a\rb", "X: a\nY: b", "X: \x00", "X_Y: z", "Connection:", "Transfer-Encoding:"}
)

// answer appends an answer, or several.
func (g *generator) answer() {
	status := pick(g, genStatuses)
	if g.odds(80) {
		g.add(pick(g, genStrange))
	} else {
		g.add("HTTP/1.1 " + status + pick(g, []string{" OK", " Not Found", " "}))
	}
	g.end()
	for range g.IntN(7) {
		if g.odds(80) {
			g.name(pick(g, genAnswerFraming))
		} else {
			g.name(pick(g, genAnswerHeaders))
		}
	}
	size := pick(g, []int{0, 1, 3, 10, 100, 600, 700})
	if g.odds(500) {
		size = 3 * fastAnswer / 2
	}
	switch g.IntN(8) {
	case 0: // none, or to the end of the connection
		g.end()
		if g.odds(2) {
			g.body(size)
		}
	case 1, 2, 3: // chunks
		g.name("Transfer-Encoding: chunked")
		g.end()
		g.chunks(size)
	default:
		said := size
		if g.odds(50) {
			said += pick(g, []int{-1, 1, 7})
		}
		if status != "204" && status != "304" || g.odds(10) {
			g.name("Content-Length: " + strconv.Itoa(max(said, 0)))
		}
		g.end()
		if status != "204" && status != "304" || g.odds(20) {
			g.body(size)
		}
	}
	if g.odds(30) {
		g.add(pick(g, []string{"x", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "\r\n", "0\r\n\r\n"}))
	}
}

func (g *generator) chunks(size int) {
	for size > 0 {
		n := min(1+g.IntN(size), size)
		size -= n
		digits := strconv.FormatInt(int64(n), 16)
		switch {
		case g.odds(6):
			digits = strings.ToUpper(digits)
		case g.odds(20):
			digits = "0" + digits
		case g.odds(150):
			digits = pick(g, []string{"0x" + digits, "+" + digits, digits + " ", " " + digits, "", "fffffffffffffffff", digits + "g", "-1"})
		}
		g.add(digits)
		if g.odds(30) {
			g.add(pick(g, []string{";x=y", "; x", ";", ";\x01"}))
		}
		g.end()
		g.body(n)
		g.end()
	}
	if g.odds(100) {
		return // without an end
	}
	g.add(pick(g, []string{"0", "0", "0", "0", "00", "0;x"}))
	g.end()
	for g.odds(15) {
		g.name(pick(g, []string{"X-Sum: 1", "Late: x", "Content-Length: 3", "Transfer-Encoding: chunked", "Host: x", "Trailer: x", " folded: x", "Bad", "Set-Cookie: x=y", "X-Pando-Load: 1", "Connection: close"}))
	}
	g.end()
}

// spoil changes some bytes anywhere.
func (g *generator) spoil() {
	for range 1 + g.IntN(3) {
		if len(g.b) == 0 {
			return
		}
		at := g.IntN(len(g.b))
		switch g.IntN(5) {
		case 0:
			g.b[at] = pick(g, []byte("\r\n \t:;,\x00\x7f\xff0aZ/%?#_-\x0b"))
		case 1:
			g.b[at] = byte(g.IntN(256))
		case 2:
			g.b = append(g.b[:at], g.b[at+1:]...)
		case 3:
			g.b = append(g.b[:at+1], g.b[at:]...)
			g.b[at] = pick(g, []byte("\r\n \t:;,\x00\x7f\xff0aZ/%?#_-\x0b"))
		default:
			to := min(at+g.IntN(60), len(g.b))
			g.b = append(g.b[:to:to], g.b[at:]...)
		}
	}
}

// next makes what one execution takes: what a client sends, what the upstream answers,
// and how large the pieces are in which that comes.
func (g *generator) next() (client, upstream []byte, piece int) {
	g.b = g.b[:0]
	for g.request(); g.odds(3); g.request() {
	}
	if g.odds(4) {
		g.spoil()
	}
	at := len(g.b)
	whole := g.b
	g.b = g.b[at:]
	g.answer()
	if g.odds(4) {
		g.spoil()
	}
	upstream = g.b
	g.b = whole
	if !g.odds(3) {
		piece = 1 + g.IntN(pick(g, []int{64, 1000, 1000, 1000}))
	} else if len(upstream) < 300 && g.odds(3) {
		piece = 1 + g.IntN(4)
	}
	return whole[:at:at], upstream, piece
}
