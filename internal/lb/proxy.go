package lb

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strings"
)

// newProxy makes the reverse proxy: it takes out hop-by-hop headers both ways, passes
// upgrades, trailers and informational answers, and flushes what streams.
func (b *Balancer) newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:       rewrite,
		Transport:     b,
		BufferPool:    copyBuffers,
		FlushInterval: -1, // what has come goes on, whether or not the rest takes long
		ErrorHandler:  b.answerError,
		ErrorLog:      debugLog(b.log),
	}
}

func rewrite(p *httputil.ProxyRequest) {
	p.Out.URL.Scheme, p.Out.URL.Host = "http", p.In.Host
	p.Out.URL.RawQuery = p.In.URL.RawQuery // as it is: what to make of it is the server's to say
	p.Out.Trailer = p.In.Trailer           // which fills up as the body is read
	if strings.EqualFold(p.Out.Header.Get("Upgrade"), "h2c") {
		// Behind it requests would pass that nobody here has seen.
		p.Out.Header.Del("Upgrade")
		p.Out.Header.Del("Connection")
		p.Out.Header.Del("Http2-Settings")
	}
	forward(p.Out.Header, p.In)
}

// forward says whom the request is from. What the client says of that itself is taken
// out: this is the edge.
func forward(h http.Header, in *http.Request) {
	for name := range h {
		plain := name
		if strings.Contains(name, "_") { // which some servers take for a hyphen
			plain = http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
		}
		if strings.HasPrefix(plain, "X-Forwarded-") || plain == "Forwarded" || plain == "X-Real-Ip" {
			delete(h, name)
		}
	}
	client := clientOf(in.RemoteAddr)
	proto := "http"
	if c := connOf(in); in.TLS != nil || c != nil && c.tls != nil { // net/http does not see the latter
		proto = "https"
	}
	h["X-Forwarded-For"] = []string{client}
	h["X-Forwarded-Proto"] = []string{proto}
	h["X-Forwarded-Host"] = []string{in.Host}
	h["Forwarded"] = []string{"for=" + forwardedNode(client) + ";host=" + quoted(in.Host) + ";proto=" + proto}
}

// forwardedNode is an address as Forwarded has it.
func forwardedNode(client string) string {
	if strings.Contains(client, ":") {
		return `"[` + client + `]"`
	}
	return client
}

// clientOf is the address of RemoteAddr, without port and zone.
func clientOf(remote string) string {
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		return ap.Addr().Unmap().WithZone("").String()
	}
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return "unknown"
	}
	return host
}

// quoted is a value of Forwarded: in quotes unless it is a token.
func quoted(s string) string {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			if strings.ContainsAny(s, `\"`) {
				s = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
			}
			return `"` + s + `"`
		}
	}
	return s
}
