package certs

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// Plain is the handler of port 80: it answers the authority's questions, and sends
// everybody else to HTTPS. A name that is not ours is sent nowhere: the answer might
// be kept by somebody in between, and given to others.
func (c *Certificates) Plain() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.source.challenge(w, r) {
			c.redirect(w, r)
		}
	})
}

func (c *Certificates) redirect(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Connection", "close")
	if !c.serves(host) {
		header.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusMisdirectedRequest)
		fmt.Fprintf(w, "This address serves %s.\n", strings.Join(c.cfg.Domains, ", "))
		return
	}
	if c.cfg.HTTPSPort != 0 && c.cfg.HTTPSPort != 443 {
		host = net.JoinHostPort(host, strconv.Itoa(c.cfg.HTTPSPort))
	}
	path := r.URL.EscapedPath()
	if !strings.HasPrefix(path, "/") {
		path = "/"
	}
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		path += "?" + r.URL.RawQuery
	}
	header.Set("Location", "https://"+host+path)
	w.WriteHeader(http.StatusPermanentRedirect)
}

// serves tells whether a name is one of ours. The user's own certificate may have
// wildcards.
func (c *Certificates) serves(host string) bool {
	_, parent, _ := strings.Cut(host, ".")
	for _, d := range c.cfg.Domains {
		if d == host || d == "*."+parent && parent != "" {
			return true
		}
	}
	return false
}
