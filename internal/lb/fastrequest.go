package lb

import (
	"bytes"
	"net/url"
	"strconv"

	"github.com/pandobase/pando/internal/overload"
)

// verdict of the fast path on what it has read so far. Whatever is not known to be plain
// is strange, and left to net/http: to refuse it, or to pass it on after all.
type fastVerdict uint8

const (
	fastMore    fastVerdict = iota // its end has not come
	fastPlain                      // it can be passed on
	fastStrange                    // it cannot, or not here
)

// plainRequest is a request that the fast path passes on by itself.
type plainRequest struct {
	size       int  // of header and body
	headed     bool // the header is whole
	noBody     bool // HEAD: the answer has none
	idempotent bool // as call has it
	class      class
}

// origin is whom a client's requests are from, as upstreams are told.
type origin struct {
	lines string // X-Forwarded-For and X-Forwarded-Proto
	node  string // Forwarded: for=…;host=
	proto string // ;proto=…
}

func newOrigin(client, proto string) origin {
	return origin{
		lines: "X-Forwarded-For: " + client + "\r\nX-Forwarded-Proto: " + proto + "\r\n",
		node:  "Forwarded: for=" + forwardedNode(client) + ";host=",
		proto: ";proto=" + proto + "\r\n",
	}
}

const (
	longestName = 32  // more than of any header that means something here
	longestHost = 255 // of a name
)

// parse reads one request at the beginning of in, and appends to out how it goes to an
// upstream: only strict HTTP/1.1, of one Host, at most one length and no other framing.
func (r *plainRequest) parse(in, out []byte, from *origin) ([]byte, fastVerdict) {
	*r = plainRequest{class: normal}
	end := bytes.IndexByte(in, '\n')
	if end < 0 {
		return out, fastMore
	}
	method, ok := r.line(in[:end+1])
	if !ok {
		return out, fastStrange
	}
	out = append(out, in[:end+1]...)
	at := end + 1

	var host []byte
	length, asked := int64(-1), false
	for {
		end := bytes.IndexByte(in[at:], '\n')
		if end < 0 {
			return out, fastMore
		}
		line := in[at : at+end+1]
		at += end + 1
		n := len(line) - 2
		if n < 0 || line[n] != '\r' {
			return out, fastStrange
		}
		if n == 0 {
			break
		}
		name, value, ok := fieldOf(line[:n])
		if !ok {
			return out, fastStrange
		}
		var buf [longestName]byte
		switch key := lowered(&buf, name); string(key) {
		case "host":
			if host != nil || !plainHost(value) {
				return out, fastStrange
			}
			host = value
		case "content-length":
			var ok bool
			if length >= 0 {
				return out, fastStrange
			}
			if length, ok = lengthOf(value); !ok {
				return out, fastStrange
			}
			continue
		case "connection":
			if !foldEqual(value, "keep-alive") {
				return out, fastStrange
			}
			continue
		case "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "forwarded", "x-real-ip":
			continue
		case "te", "trailer", "transfer-encoding", "upgrade", "expect":
			return out, fastStrange
		case "user-agent":
			if len(value) == 0 {
				return out, fastStrange
			}
		case "accept":
			if bytes.Contains(value, []byte(eventStream)) {
				return out, fastStrange // for as long as somebody listens
			}
		case "sec-purpose", "purpose", "priority":
			if asked {
				return out, fastStrange // which of them counts is not for here
			}
			if asked = true; r.class == normal && lowClass(string(key), string(value)) {
				r.class = low
			}
		default:
			if bytes.HasPrefix(key, []byte("x-forwarded-")) {
				continue
			}
		}
		out = append(out, line...)
	}
	if host == nil {
		return out, fastStrange
	}
	r.headed = true
	out = append(out, from.lines...)
	out = append(append(append(out, "X-Forwarded-Host: "...), host...), "\r\n"...)
	out = appendNodeHost(append(out, from.node...), host)
	out = append(out, from.proto...)

	r.noBody = method == "HEAD"
	writes := method == "POST" || method == "PUT" || method == "PATCH"
	r.idempotent = length <= 0 && !writes && method != "DELETE"
	if length > 0 || writes {
		out = append(out, "Content-Length: "...)
		out = strconv.AppendInt(out, max(length, 0), 10)
		out = append(out, "\r\n"...)
	}
	out = append(out, "\r\n"...)
	if length > int64(len(in)-at) {
		if length > fastBody-int64(at) {
			return out, fastStrange
		}
		return out, fastMore
	}
	r.size = at
	if length > 0 {
		r.size += int(length)
		out = append(out, in[at:r.size]...)
	}
	return out, fastPlain
}

// line takes the request line, and tells the method.
func (r *plainRequest) line(line []byte) (method string, ok bool) {
	n := len(line) - len(" HTTP/1.1\r\n")
	if n < 0 || string(line[n:]) != " HTTP/1.1\r\n" {
		return "", false
	}
	first := bytes.IndexByte(line[:n], ' ')
	if first < 0 {
		return "", false
	}
	switch string(line[:first]) {
	case "GET":
		method = "GET"
	case "HEAD":
		method = "HEAD"
	case "POST":
		method = "POST"
	case "PUT":
		method = "PUT"
	case "PATCH":
		method = "PATCH"
	case "DELETE":
		method = "DELETE"
	case "OPTIONS":
		method = "OPTIONS"
	default:
		return "", false
	}
	target := line[first+1 : n]
	if len(target) == 0 || target[0] != '/' {
		return "", false
	}
	path, escaped := len(target), false
	for i := 0; i < len(target); i++ {
		switch c := target[i]; {
		case i > path:
			if c <= ' ' || c >= 0x7f || c == '#' {
				return "", false
			}
		case c == '?':
			path = i
		case c == '%':
			if i+2 >= len(target) || !hexadecimal[target[i+1]] || !hexadecimal[target[i+2]] {
				return "", false
			}
			escaped = true
		case !inPath[c]:
			return "", false
		}
	}
	if p := target[:path]; !escaped {
		if mustAnswer(p) {
			r.class = always
		}
	} else if text, err := url.PathUnescape(string(p)); err != nil {
		return "", false
	} else if mustAnswer(text) {
		r.class = always
	}
	return method, true
}

// appendNodeHost appends the host of Forwarded as quoted has it; a plain host has nothing
// that must be escaped.
func appendNodeHost(out, host []byte) []byte {
	for _, c := range host {
		if lowerToken[c] == 0 {
			return append(append(append(out, '"'), host...), '"')
		}
	}
	return append(out, host...)
}

func lowClass(name, value string) bool {
	switch name {
	case "sec-purpose":
		return overload.IsPrefetch(value)
	case "purpose":
		return value == "prefetch"
	}
	return overload.IsLow(value)
}
