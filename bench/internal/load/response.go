package load

import (
	"bytes"
	"errors"
	"fmt"
)

// maxHead is the longest response head that is accepted, in bytes.
const maxHead = 64 << 10

// maxBody is the longest response body that is accepted, in bytes.
const maxBody = 1 << 30

// ErrResponse is the cause of every error that a [Parser] returns.
var ErrResponse = errors.New("malformed response")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrResponse, fmt.Sprintf(format, args...))
}

// Parser reads one HTTP/1.1 response that may arrive in any number of pieces.
// It accepts less than a client must: no interim responses, no trailers, no
// chunk extensions, no body that ends with the connection, not both kinds of
// length. A server that is measured has no business sending any of those.
//
// The zero value is ready for a first response; [Parser.Reset] makes it ready
// for the next one.
type Parser struct {
	status    int
	close     bool
	chunked   bool
	headDone  bool
	bodyStart int // offset of the body's first byte
	bodyEnd   int // offset after the body, as sent (with chunk framing)
	seen      int // head: bytes searched for its end; chunked: next chunk's offset
}

// Reset forgets the response that was read.
func (p *Parser) Reset() { *p = Parser{} }

// Status is the status code, valid once Parse has returned a length.
func (p *Parser) Status() int { return p.status }

// Close says whether the server announced that it closes the connection.
func (p *Parser) Close() bool { return p.close }

// Parse looks at b, all the bytes received for this response so far, and
// returns the length of the response when it is complete and 0 when more bytes
// are needed. Bytes beyond the response are not looked at. Between calls the
// parser remembers where it was, so b may only grow. The error wraps
// [ErrResponse].
func (p *Parser) Parse(b []byte) (int, error) {
	if !p.headDone {
		ok, err := p.parseHead(b)
		if !ok || err != nil {
			return 0, err
		}
	}
	if p.chunked {
		return p.parseChunks(b)
	}
	if len(b) < p.bodyEnd {
		return 0, nil
	}
	return p.bodyEnd, nil
}

// Body returns the body of the complete response b. For a chunked one it is
// decoded into scratch, which is returned grown; otherwise it is a part of b.
func (p *Parser) Body(b, scratch []byte) (body, grown []byte) {
	if !p.chunked {
		return b[p.bodyStart:p.bodyEnd], scratch
	}
	scratch = scratch[:0]
	for at := p.bodyStart; ; {
		size, next, _ := chunkSize(b, at)
		if size == 0 {
			return scratch, scratch
		}
		scratch = append(scratch, b[next:next+size]...)
		at = next + size + 2
	}
}

func (p *Parser) parseHead(b []byte) (bool, error) {
	from := max(0, p.seen-3)
	end := bytes.Index(b[from:min(len(b), maxHead)], []byte("\r\n\r\n"))
	if end < 0 {
		p.seen = len(b)
		if len(b) >= maxHead {
			return false, malformed("head over %d bytes", maxHead)
		}
		return false, nil
	}
	end += from
	head := b[:end+2] // every line with its CRLF, without the empty one
	n, err := p.statusLine(head)
	if err != nil {
		return false, err
	}
	length, err := p.fields(head[n:])
	if err != nil {
		return false, err
	}
	p.headDone = true
	p.bodyStart = end + 4
	p.bodyEnd = p.bodyStart
	p.seen = p.bodyStart
	bodyless := p.status == 204 || p.status == 304
	switch {
	case bodyless && (p.chunked || length > 0):
		return false, malformed("status %d with a body", p.status)
	case p.chunked && length >= 0:
		return false, malformed("both Content-Length and Transfer-Encoding")
	case !bodyless && !p.chunked && length < 0:
		return false, malformed("neither Content-Length nor Transfer-Encoding")
	case length > 0:
		p.bodyEnd += length
	}
	return true, nil
}

// statusLine reads the first line of head and returns its length.
func (p *Parser) statusLine(head []byte) (int, error) {
	n := bytes.IndexByte(head, '\r')
	line := head[:n]
	if n < 13 || string(line[:9]) != "HTTP/1.1 " || line[12] != ' ' {
		return 0, malformed("status line %.40q", line)
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return 0, malformed("status line %.40q", line)
		}
		p.status = p.status*10 + int(c-'0')
	}
	if p.status < 200 || p.status > 599 {
		return 0, malformed("status %d", p.status)
	}
	if !plain(line[13:]) || head[n+1] != '\n' {
		return 0, malformed("status line %.40q", line)
	}
	return n + 2, nil
}

// fields reads the header lines and returns the Content-Length, -1 for none.
func (p *Parser) fields(lines []byte) (int, error) {
	length := -1
	for len(lines) > 0 {
		n := bytes.IndexByte(lines, '\r')
		line := lines[:n]
		if lines[n+1] != '\n' {
			return 0, malformed("bare carriage return")
		}
		lines = lines[n+2:]
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || !token(line[:colon]) || !plain(line[colon+1:]) {
			return 0, malformed("header line %.40q", line)
		}
		name, value := line[:colon], bytes.Trim(line[colon+1:], " \t")
		switch {
		case equalFold(name, "content-length"):
			v, ok := decimal(value)
			if !ok || length >= 0 {
				return 0, malformed("Content-Length %.40q", value)
			}
			length = v
		case equalFold(name, "transfer-encoding"):
			if p.chunked || !equalFold(value, "chunked") {
				return 0, malformed("Transfer-Encoding %.40q", value)
			}
			p.chunked = true
		case equalFold(name, "connection"):
			p.close = p.close || equalFold(value, "close")
		}
	}
	return length, nil
}

func (p *Parser) parseChunks(b []byte) (int, error) {
	for {
		size, next, err := chunkSize(b, p.seen)
		if err != nil || next == 0 {
			return 0, err
		}
		end := next + size
		if end-p.bodyStart > maxBody {
			return 0, malformed("body over %d bytes", maxBody)
		}
		if len(b) < end+2 {
			return 0, nil
		}
		if b[end] != '\r' || b[end+1] != '\n' {
			return 0, malformed("chunk without its end, or trailers")
		}
		p.seen = end + 2
		if size == 0 {
			p.bodyEnd = p.seen
			return p.seen, nil
		}
	}
}

// chunkSize reads the size line at offset at and returns the offset of the
// chunk's data, 0 when the line is not complete.
func chunkSize(b []byte, at int) (size, next int, err error) {
	for i := at; i < len(b); i++ {
		c := b[i]
		switch {
		case c >= '0' && c <= '9':
			size = size<<4 | int(c-'0')
		case c >= 'a' && c <= 'f':
			size = size<<4 | int(c-'a'+10)
		case c >= 'A' && c <= 'F':
			size = size<<4 | int(c-'A'+10)
		case c == '\r' && i > at:
			if i+1 == len(b) {
				return 0, 0, nil
			}
			if b[i+1] != '\n' {
				return 0, 0, malformed("chunk size")
			}
			return size, i + 2, nil
		default:
			return 0, 0, malformed("chunk size")
		}
		if i-at >= 8 || size > maxBody {
			return 0, 0, malformed("chunk size")
		}
	}
	return 0, 0, nil
}

func decimal(b []byte) (int, bool) {
	if len(b) == 0 || len(b) > 10 {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, n <= maxBody
}

// equalFold compares b with lower, which must be in lower case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// Character classes of RFC 9110: 1 is a token character, 2 any that a field
// value may hold.
var class = func() (t [256]byte) {
	for c := range t {
		if c == '\t' || c >= ' ' && c != 0x7f {
			t[c] = 2
		}
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] |= 1
	}
	return t
}()

func token(b []byte) bool {
	all := byte(1)
	for _, c := range b {
		all &= class[c]
	}
	return all&1 != 0
}

func plain(b []byte) bool {
	all := byte(2)
	for _, c := range b {
		all &= class[c]
	}
	return all&2 != 0
}
