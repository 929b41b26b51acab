package lb

import (
	"bytes"
	"net/http"
	"strconv"
	"time"
)

// plainAnswer is the header of an answer that the fast path passes on by itself.
type plainAnswer struct {
	status int
	line   int   // bytes of the status line
	head   int   // bytes of the header
	length int64 // of the body; below 0: chunked
	close  bool  // the upstream ends the connection
	dated  bool
	later  bool    // it says when to come again
	load   float64 // as the upstream tells; below 0: it does not

	out  [fastStrips]span // lines that are not for the client
	outs int
}

type span struct{ from, to int }

// fastStrips is how many lines are taken out of a header at most.
const fastStrips = 6

// parse reads the header of an answer at the beginning of in: a final one of strict
// HTTP/1.1, that says in one way where its body ends.
func (a *plainAnswer) parse(in []byte, head bool) fastVerdict {
	*a = plainAnswer{length: -2, load: -1}
	end := bytes.IndexByte(in, '\n')
	if end < 0 {
		return fastMore
	}
	if !a.statusLine(in[:end+1]) {
		return fastStrange
	}
	a.line = end + 1
	at := end + 1
	for {
		end := bytes.IndexByte(in[at:], '\n')
		if end < 0 {
			return fastMore
		}
		line := in[at : at+end+1]
		at += end + 1
		n := len(line) - 2
		if n < 0 || line[n] != '\r' {
			return fastStrange
		}
		if n == 0 {
			break
		}
		name, value, ok := fieldOf(line[:n])
		if !ok {
			return fastStrange
		}
		strip := false
		var buf [longestName]byte
		switch string(lowered(&buf, name)) {
		case "content-length":
			if a.length != -2 {
				return fastStrange
			}
			if a.length, ok = lengthOf(value); !ok {
				return fastStrange
			}
		case "transfer-encoding":
			if a.length != -2 || !foldEqual(value, "chunked") {
				return fastStrange
			}
			a.length = -1
		case "connection":
			if foldEqual(value, "close") {
				a.close = true
			} else if !foldEqual(value, "keep-alive") {
				return fastStrange
			}
			strip = true
		case "content-type":
			if bytes.HasPrefix(value, []byte(eventStream)) {
				return fastStrange
			}
		case "x-pando-load":
			if a.load >= 0 {
				return fastStrange
			}
			share, err := strconv.ParseFloat(string(value), 64)
			if err != nil || !(share >= 0) {
				return fastStrange
			}
			a.load, strip = share, true
		case "date":
			a.dated = true
		case "retry-after":
			a.later = true
		case "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te":
			strip = true
		case "trailer", "upgrade":
			return fastStrange
		}
		if strip {
			if a.outs == len(a.out) {
				return fastStrange
			}
			a.out[a.outs] = span{at - len(line), at}
			a.outs++
		}
	}
	a.head = at
	return a.framing(head)
}

// framing decides where the body ends.
func (a *plainAnswer) framing(head bool) fastVerdict {
	switch {
	case a.status == http.StatusNoContent || a.status == http.StatusNotModified:
		if a.length != -2 {
			return fastStrange // some clients would wait for a body
		}
		a.length = 0
	case head:
		if a.length == -1 {
			return fastStrange
		}
		a.length = 0
	case a.length == -2:
		return fastStrange // it ends with the connection
	}
	return fastPlain
}

func (a *plainAnswer) statusLine(line []byte) bool {
	const start = "HTTP/1.1 "
	n := len(line) - 2
	if n < len(start)+4 || line[n] != '\r' || string(line[:len(start)]) != start || line[len(start)+3] != ' ' {
		return false
	}
	for _, c := range line[len(start) : len(start)+3] {
		if c < '0' || c > '9' {
			return false
		}
		a.status = a.status*10 + int(c-'0')
	}
	for _, c := range line[len(start)+4 : n] {
		if !inValue[c] {
			return false
		}
	}
	return a.status >= 200 && a.status <= 599
}

// fastReserve is the room before a header that edit may take.
const fastReserve = 64

// edit makes of the header at buf[at:] the one that the client gets, in place: lines that
// are not for it are taken out, and a date is put in if there is none. It tells where the
// header begins now. Its end stays.
func (a *plainAnswer) edit(buf []byte, at int) int {
	line := a.line
	for i := a.outs - 1; i >= 0; i-- {
		s := a.out[i]
		gone := s.to - s.from
		copy(buf[at+gone:at+s.to], buf[at:at+s.from])
		at += gone
	}
	if a.dated {
		return at
	}
	var date [fastReserve]byte
	add := time.Now().UTC().AppendFormat(date[:0], "Date: "+http.TimeFormat+"\r\n")
	copy(buf[at-len(add):], buf[at:at+line])
	at -= len(add)
	copy(buf[at+line:], add)
	return at
}
