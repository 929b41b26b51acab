package lb

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

var errHeaderBytes = errors.New("a header holds bytes that no header may hold")

// framing are the headers that say how a message goes over one connection. They are
// made anew for the connection to the upstream.
var framing = []string{"Content-Length", "Host", "Trailer", "Transfer-Encoding"}

// appendHead appends the request line and header of r, for any upstream alike.
func appendHead(b []byte, r *http.Request) ([]byte, error) {
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, target(r)...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	if !clean(r.Host) {
		return nil, errHeaderBytes
	}
	b = append(b, r.Host...)
	b = append(b, "\r\n"...)
	for name, values := range r.Header {
		if slices.Contains(framing, name) {
			continue
		}
		for _, v := range values {
			if !clean(v) {
				return nil, errHeaderBytes
			}
			if v == "" && name == "User-Agent" {
				continue // the reverse proxy's way to say that there is none
			}
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, v...)
			b = append(b, "\r\n"...)
		}
	}
	switch {
	case r.Body == nil || r.Body == http.NoBody:
		if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
			b = append(b, "Content-Length: 0\r\n"...)
		}
	case r.ContentLength >= 0:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, r.ContentLength, 10)
		b = append(b, "\r\n"...)
	default:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
		if len(r.Trailer) > 0 {
			names := make([]string, 0, len(r.Trailer))
			for name := range r.Trailer {
				names = append(names, name)
			}
			slices.Sort(names)
			b = append(b, "Trailer: "+strings.Join(names, ", ")+"\r\n"...)
		}
	}
	return append(b, "\r\n"...), nil
}

// target is what was asked for, byte by byte as the client wrote it if that can stand
// in a request line.
func target(r *http.Request) string {
	uri := r.RequestURI
	if !strings.HasPrefix(uri, "/") && uri != "*" {
		return r.URL.RequestURI() // with scheme and host, which the Host header tells
	}
	for i := range len(uri) {
		if uri[i] <= ' ' || uri[i] == 0x7f {
			return r.URL.RequestURI()
		}
	}
	return uri
}

func clean(v string) bool {
	for i := range len(v) {
		if v[i] == '\r' || v[i] == '\n' || v[i] == 0 {
			return false
		}
	}
	return true
}
