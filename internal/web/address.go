package web

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/pandobase/pando"
)

// RealIP is the address of the client of r, as the settings say it is found.
func (h *Handler) RealIP(r *http.Request) string {
	return realIP(r, &h.cfg.Settings.Current().TrustedProxy)
}

// realIP is the address of the client: what the trusted headers say, else the
// other end of the connection. IPv6 addresses are written in full, so that one
// address has one spelling.
func realIP(r *http.Request, trusted *pando.TrustedProxySettings) string {
	for _, name := range trusted.Headers {
		if ip := forwardedIP(r.Header.Values(name), trusted.UseLeftmostIP); ip != "" {
			return ip
		}
	}
	return remoteIP(r.RemoteAddr)
}

// forwardedIP is the last (or first) valid address of a header's last line.
func forwardedIP(lines []string, leftmost bool) string {
	if len(lines) == 0 {
		return ""
	}
	list := strings.Split(lines[len(lines)-1], ",")
	for i := range list {
		item := list[i]
		if !leftmost {
			item = list[len(list)-1-i]
		}
		if ip, err := netip.ParseAddr(strings.TrimSpace(item)); err == nil {
			return ip.StringExpanded()
		}
	}
	return ""
}

func remoteIP(addr string) string {
	host := addr
	if i := strings.LastIndexByte(addr, ':'); i >= 0 {
		host = addr[:i]
	}
	if strings.IndexByte(host, ':') < 0 {
		return host // IPv4, the usual case, without parsing
	}
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return ip.WithZone("").StringExpanded()
	}
	return host
}

// proxyHeader names a header that suggests a proxy in front; it helps
// superusers to find the right setting.
func proxyHeader(r *http.Request, trusted *pando.TrustedProxySettings) string {
	for _, name := range trusted.Headers {
		if r.Header.Get(name) != "" {
			return name
		}
	}
	for _, name := range []string{"CF-Connecting-IP", "Fly-Client-IP"} {
		if r.Header.Get(name) != "" {
			return name
		}
	}
	return ""
}
