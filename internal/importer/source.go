package importer

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pandobase/pando"
)

// Row is one record of a file: values as JSON decodes them (CSV: text only),
// under the names that the file gives.
type Row struct {
	Number int // from 1; a CSV's heading is not counted
	Keys   []string
	Values map[string]any
	Err    error // the row is there, but cannot be read
}

// Source yields the rows of an open file.
type Source struct {
	file   *os.File
	read   *countingReader
	size   int64
	number int
	next   func() (Row, error) // io.EOF at the end
}

// Open opens a file as its name says: .json (one array of objects), .ndjson or
// .jsonl (an object a line), .csv (the first line names the columns).
func Open(path string) (*Source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = pando.Invalid("%s is not a regular file.", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	s := &Source{file: f, read: &countingReader{r: f}, size: info.Size()}
	buffered := bufio.NewReaderSize(s.read, 1<<16)
	skipBOM(buffered)
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".json":
		err = s.openJSON(buffered)
	case ".ndjson", ".jsonl":
		s.openLines(buffered)
	case ".csv":
		err = s.openCSV(buffered)
	default:
		err = pando.Invalid("Cannot tell the format of %s: its name must end in .json, .ndjson, .jsonl or .csv.", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

// Next is the next row; io.EOF after the last. Any other error means that the
// rest of the file cannot be read.
func (s *Source) Next() (Row, error) {
	row, err := s.next()
	if err != nil {
		return Row{}, err
	}
	s.number++
	row.Number = s.number
	return row, nil
}

// Progress is how many bytes of the file have been read, and how many there are.
func (s *Source) Progress() (done, total int64) { return s.read.n, s.size }

// Close closes the file.
func (s *Source) Close() error { return s.file.Close() }

func (s *Source) openJSON(r *bufio.Reader) error {
	dec := json.NewDecoder(r)
	tok, err := dec.Token()
	if err != nil || tok != json.Delim('[') {
		return pando.Invalid("%s does not begin with a JSON array of objects. For one object a line, call it .ndjson.", s.file.Name())
	}
	s.next = func() (Row, error) {
		if !dec.More() {
			if _, err := dec.Token(); err != nil {
				// Not %w: a wrapped io.EOF would look like the end of the rows.
				return Row{}, fmt.Errorf("the array does not end (%v): is the file cut off?", err)
			}
			return Row{}, io.EOF
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return Row{}, fmt.Errorf("not JSON after row %d: %v", s.number, err)
		}
		return objectRow(raw), nil
	}
	return nil
}

func (s *Source) openLines(r *bufio.Reader) {
	s.next = func() (Row, error) {
		for {
			line, err := r.ReadBytes('\n')
			if line = bytes.TrimSpace(line); len(line) > 0 {
				return objectRow(line), nil
			}
			if err != nil {
				return Row{}, err
			}
		}
	}
}

func (s *Source) openCSV(r *bufio.Reader) error {
	c := csv.NewReader(r)
	c.FieldsPerRecord = -1
	c.ReuseRecord = true
	head, err := c.Read()
	if err != nil {
		return pando.Invalid("%s has no first line that names its columns.", s.file.Name())
	}
	keys := slices.Clone(head)
	for i, key := range keys {
		if slices.Contains(keys[:i], key) {
			return pando.Invalid("The first line of %s names the column %q twice: give each a name of its own.", s.file.Name(), key)
		}
	}
	s.next = func() (Row, error) {
		record, err := c.Read()
		if err != nil {
			if pe, ok := errors.AsType[*csv.ParseError](err); ok {
				return Row{Err: pe}, nil
			}
			return Row{}, err
		}
		if len(record) != len(keys) {
			return Row{Err: fmt.Errorf("has %d values, the heading has %d", len(record), len(keys))}, nil
		}
		row := Row{Keys: keys, Values: make(map[string]any, len(keys))}
		for i, v := range record {
			if !utf8.ValidString(v) {
				return Row{Err: fmt.Errorf("%s is not UTF-8", keys[i])}, nil
			}
			row.Values[keys[i]] = v
		}
		return row, nil
	}
	return nil
}

func skipBOM(r *bufio.Reader) {
	if b, err := r.Peek(3); err == nil && string(b) == "\ufeff" {
		r.Discard(3)
	}
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
