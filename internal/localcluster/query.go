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
)

func quote(s string) string     { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// execSocket is the least client of PostgreSQL there can be: the simple query
// protocol, text, no passwords. A driver belongs to internal/store/postgres
// only, and psql is a process for each question of a loop that polls.
func execSocket(ctx context.Context, socket, db, sql string) (string, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return "", fmt.Errorf("localcluster: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	c := wire{r: bufio.NewReader(conn), w: conn}
	rows, err := c.simple(db, sql)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("localcluster: %s: %w", firstLine(sql), err)
	}
	return strings.Join(rows, "\n"), nil
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s[:min(len(s), 80)]
}

type wire struct {
	r *bufio.Reader
	w io.Writer
}

func (c wire) simple(db, sql string) (rows []string, err error) {
	hello := binary.BigEndian.AppendUint32(nil, 3<<16)
	for _, s := range []string{"user", "postgres", "database", db, "application_name", "localcluster", ""} {
		hello = append(append(hello, s...), 0)
	}
	if err := c.send(0, hello); err != nil {
		return nil, err
	}
	asked := false
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
			if asked {
				return rows, c.send('X', nil)
			}
			asked = true
			if err := c.send('Q', append([]byte(sql), 0)); err != nil {
				return nil, err
			}
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
