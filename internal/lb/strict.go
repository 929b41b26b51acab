package lb

import (
	"bytes"
	"io"
	"strings"
)

// strict watches the bytes of a client's HTTP/1 connection and lets only those pass
// that can be read in one way. net/http by itself forgives line feeds without carriage
// returns, folded headers, and a length beside chunks; whoever reads such a message
// otherwise takes part of one request for another. What must not pass is replaced by
// bytes that net/http refuses, so that the refusal comes in its turn.
type strict struct {
	in   part
	left int64 // of a body of known length, or of a chunk
	head request
	// held is what was read and not passed on: ready bytes that may pass, and behind them
	// a line whose end has not come. Not a byte of a line passes before all of it is known.
	held  []byte
	ready int
	err   error // that came behind held
	// pending are bytes to be read instead of what is refused.
	pending []byte
	// one has only the first message pass; ended tells that it has.
	one, ended bool
	fields     bool // of trailers only those pass that the fast path would take as headers
}

type part uint8

const (
	inStart part = iota // at a request line
	inHeader
	inBody    // of known length
	inSize    // at the line of a chunk's size
	inChunk   // in a chunk
	inEnd     // behind a chunk, at its line end
	inTrailer // behind the last chunk
	inTunnel  // another protocol, or nothing may follow
	refused
)

// request is what its header says of where it ends.
type request struct {
	version10 bool
	length    int64 // -1: none
	chunked   bool
	upgrade   bool
}

// maxLine is the longest line that is waited for; net/http wants shorter ones.
const maxLine = 128 << 10

var (
	badLine  = []byte(":\x00\r\n\r\n") // neither a request line nor a header
	badChunk = []byte("Z\r\n")         // neither a size nor a line end
)

// look checks b, which follows what has passed, and tells how much of it may pass. The
// rest is a line whose end is missing, or refused: then pending is to be read instead.
func (s *strict) look(b []byte) int {
	at := 0
	for at < len(b) && !s.ended {
		switch s.in {
		case refused:
			return at
		case inTunnel:
			return len(b)
		case inBody, inChunk:
			n := min(s.left, int64(len(b)-at))
			at += int(n)
			if s.left -= n; s.left == 0 {
				if s.in == inBody {
					s.end()
				} else {
					s.in = inEnd
				}
			}
		default:
			end := bytes.IndexByte(b[at:], '\n')
			if end < 0 {
				if len(b)-at > maxLine {
					s.refuse()
				}
				return at
			}
			if !s.line(b[at : at+end+1]) {
				s.refuse()
				return at
			}
			at += end + 1
		}
	}
	return at
}

// smallRead is a buffer that is too small to look at what comes in place.
const smallRead = 512

// read reads by means of from, and passes on what can be read in one way.
func (s *strict) read(from func([]byte) (int, error), p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		switch {
		case s.ready > 0:
			n := copy(p, s.held[:s.ready])
			s.ready -= n
			s.held = s.held[n:]
			if len(s.held) == 0 {
				s.held = nil
			}
			return n, nil
		case len(s.pending) > 0:
			n := copy(p, s.pending)
			s.pending = s.pending[n:]
			return n, nil
		case s.in == refused:
			return 0, io.EOF
		case s.err != nil:
			err := s.err
			s.err = nil
			return 0, err
		}
		if len(s.held) == 0 && len(p) >= smallRead {
			n, err := from(p)
			pass := s.look(p[:n])
			if pass < n && s.in != refused {
				s.held = append(s.held, p[pass:n]...)
			}
			if pass == n {
				return n, err
			}
			s.err = err
			if pass > 0 {
				return pass, nil
			}
			continue
		}
		var buf [smallRead]byte
		n, err := from(buf[:])
		if n == 0 {
			return 0, err // a deadline, for example: the next read may fare better
		}
		s.held, s.err = append(s.held, buf[:n]...), err
		s.ready = s.look(s.held)
		if s.in == refused {
			s.held = s.held[:s.ready]
		}
	}
}

// refuse prepares what is to be read instead.
func (s *strict) refuse() {
	s.pending = badLine
	if s.in == inSize || s.in == inEnd {
		s.pending = badChunk
	}
	s.in = refused
}

// line takes one line with its end.
func (s *strict) line(line []byte) bool {
	n := len(line) - 2
	if n < 0 || line[n] != '\r' || bytes.IndexByte(line[:n], '\r') >= 0 {
		return false
	}
	line = line[:n]
	switch s.in {
	case inStart:
		return s.begin(line)
	case inHeader:
		if n == 0 {
			return s.headed()
		}
		return s.field(line)
	case inSize:
		return s.size(line)
	case inEnd:
		s.in = inSize
		return n == 0
	case inTrailer:
		if n == 0 {
			s.end()
			return true
		}
		name, _, ok := bytes.Cut(line, []byte(":"))
		if s.fields {
			_, _, ok = fieldOf(line)
		}
		return ok && line[0] != ' ' && line[0] != '\t' && !framed(name)
	}
	return false
}

// begin takes a request line.
func (s *strict) begin(line []byte) bool {
	s.head = request{length: -1}
	method, rest, ok := bytes.Cut(line, []byte(" "))
	if !ok || len(method) == 0 {
		return false
	}
	target, version, ok := bytes.Cut(rest, []byte(" "))
	if !ok || len(target) == 0 {
		return false
	}
	for _, c := range target {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	switch string(version) {
	case "HTTP/1.1":
	case "HTTP/1.0":
		s.head.version10 = true
	default:
		return false
	}
	s.in = inHeader
	return true
}

// field takes a header line.
func (s *strict) field(line []byte) bool {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(name) == 0 || name[0] == ' ' || name[0] == '\t' {
		return false // among them the continuation of a folded line
	}
	if last := name[len(name)-1]; last == ' ' || last == '\t' {
		return false
	}
	switch {
	case len(name) == len("content-length") && equal(name, "content-length"):
		n, ok := length(trim(value))
		if !ok || s.head.length >= 0 || s.head.chunked {
			return false
		}
		s.head.length = n
	case len(name) == len("transfer-encoding") && equal(name, "transfer-encoding"):
		if s.head.chunked || s.head.length >= 0 || s.head.version10 || !equal(trim(value), "chunked") {
			return false
		}
		s.head.chunked = true
	case len(name) == len("upgrade") && equal(name, "upgrade"):
		s.head.upgrade = true
	}
	return true
}

// headed decides what follows a header.
func (s *strict) headed() bool {
	switch h := s.head; {
	case h.upgrade && (h.chunked || h.length > 0):
		return false // what follows the body would be of either protocol
	case h.upgrade:
		s.in = inTunnel // or the answer closes the connection
	case h.chunked:
		s.in = inSize
	case h.length > 0:
		s.in, s.left = inBody, h.length
	default:
		s.end()
	}
	return true
}

// end is the end of a message.
func (s *strict) end() { s.in, s.ended = inStart, s.one }

// size takes the line of a chunk's size.
func (s *strict) size(line []byte) bool {
	digits, extension, has := bytes.Cut(line, []byte(";"))
	if len(digits) == 0 || len(digits) > 15 || has && len(extension) > 256 {
		return false
	}
	var n int64
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | int64(c-'0')
		case 'a' <= c && c <= 'f':
			n = n<<4 | int64(c-'a'+10)
		case 'A' <= c && c <= 'F':
			n = n<<4 | int64(c-'A'+10)
		default:
			return false
		}
	}
	s.in, s.left = inChunk, n
	if n == 0 {
		s.in = inTrailer
	}
	return true
}

func framed(name []byte) bool {
	return equal(name, "content-length") || equal(name, "transfer-encoding") || equal(name, "host")
}

func equal(b []byte, lower string) bool { return strings.EqualFold(string(b), lower) }

func trim(b []byte) []byte { return bytes.Trim(b, " \t") }

// length reads digits and nothing else.
func length(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
