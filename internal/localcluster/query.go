package localcluster

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
)

func quote(s string) string     { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// Asker asks a server one question after the other over one connection, which it makes
// anew after an error: to one who polls, each other one would cost the server a process.
// It is the least client of PostgreSQL there can be: the simple query protocol, text, no
// passwords. A driver belongs to internal/store/postgres only, and psql is a process for
// each question. It is used by one goroutine.
type Asker struct {
	socket, db string
	conn       net.Conn // nil: there is none
	wire       wire
}

// Ask answers as Exec does.
func (a *Asker) Ask(ctx context.Context, sql string) (string, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	rows, err := a.ask(ctx, sql)
	if err != nil {
		a.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return "", fmt.Errorf("localcluster: %s: %w", firstLine(sql), err)
	}
	return strings.Join(rows, "\n"), nil
}

func (a *Asker) ask(ctx context.Context, sql string) ([]string, error) {
	fresh := a.conn == nil
	if fresh {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", a.socket)
		if err != nil {
			return nil, err
		}
		a.conn, a.wire = conn, wire{r: bufio.NewReader(conn), w: conn}
	}
	conn := a.conn
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if fresh {
		if err := a.wire.hello(a.db); err != nil {
			return nil, err
		}
	}
	return a.wire.query(sql)
}

// Close ends the connection, if there is one.
func (a *Asker) Close() {
	if a.conn != nil {
		_ = a.wire.send('X', nil)
		_ = a.conn.Close()
		a.conn = nil
	}
}

// Lines are connections to one database of a server, kept for whoever has the next question:
// each new one would cost the server a process. Many may ask at once, and none finds what
// another has set in its session.
type Lines struct {
	ask func() *Asker

	mu   sync.Mutex
	idle []*Asker
}

// Lines are kept until Close.
func (s *server) Lines(db string) *Lines {
	return &Lines{ask: func() *Asker { return s.askerIn(db) }}
}

// Ask answers as Exec does.
func (l *Lines) Ask(ctx context.Context, sql string) (string, error) {
	l.mu.Lock()
	var a *Asker
	if n := len(l.idle); n > 0 {
		a, l.idle = l.idle[n-1], l.idle[:n-1]
	}
	l.mu.Unlock()
	if a == nil {
		a = l.ask()
	} else {
		_, _ = a.Ask(ctx, "DISCARD ALL") // if that fails, the server has ended it, and there is a new one
	}
	text, err := a.Ask(ctx, sql)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.idle = append(l.idle, a)
	}
	return text, err
}

// Close ends those that nobody uses.
func (l *Lines) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.idle {
		a.Close()
	}
	l.idle = nil
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s[:min(len(s), 80)]
}

type wire struct {
	r *bufio.Reader
	w io.Writer
}

// hello begins a session.
func (c wire) hello(db string) error {
	hello := binary.BigEndian.AppendUint32(nil, 3<<16)
	for _, s := range []string{"user", "postgres", "database", db, "application_name", "localcluster", ""} {
		hello = append(append(hello, s...), 0)
	}
	if err := c.send(0, hello); err != nil {
		return err
	}
	_, err := c.ready()
	return err
}

func (c wire) query(sql string) ([]string, error) {
	if err := c.send('Q', append([]byte(sql), 0)); err != nil {
		return nil, err
	}
	return c.ready()
}

// ready reads rows until the server is ready for a question.
func (c wire) ready() (rows []string, err error) {
	for {
		kind, body, err := c.receive()
		if err != nil {
			return nil, err
		}
		switch kind {
		case 'R':
			if len(body) < 4 || binary.BigEndian.Uint32(body) != 0 {
				return nil, errors.New("the server asks for a password")
			}
		case 'D':
			rows = append(rows, row(body))
		case 'E':
			return nil, serverError(body)
		case 'Z':
			return rows, nil
		}
	}
}

func (c wire) send(kind byte, body []byte) error {
	var m []byte
	if kind != 0 {
		m = append(m, kind)
	}
	m = binary.BigEndian.AppendUint32(m, uint32(len(body)+4))
	_, err := c.w.Write(append(m, body...))
	return err
}

func (c wire) receive() (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n < 4 || n > 1<<28 {
		return 0, nil, fmt.Errorf("a message of %d bytes", n)
	}
	body = make([]byte, n-4)
	_, err = io.ReadFull(c.r, body)
	return head[0], body, err
}

// row parts the columns of a DataRow by |; NULL is empty.
func row(body []byte) string {
	var columns []string
	for at := 2; at+4 <= len(body); {
		n := int(int32(binary.BigEndian.Uint32(body[at:])))
		at += 4
		n = max(0, min(n, len(body)-at))
		columns = append(columns, string(body[at:at+n]))
		at += n
	}
	return strings.Join(columns, "|")
}

// serverError reads the severity, the code and the text of an ErrorResponse.
func serverError(body []byte) error {
	part := map[byte]string{}
	for f := range strings.SplitSeq(string(body), "\x00") {
		if f != "" {
			part[f[0]] = f[1:]
		}
	}
	return fmt.Errorf("%s (SQLSTATE %s)", part['M'], part['C'])
}
