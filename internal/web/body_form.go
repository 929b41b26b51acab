package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/pandobase/pando"
)

const (
	payloadKey   = "@jsonPayload"
	maxFormParts = 5000    // values and files of one form
	memoryFile   = 1 << 16 // bytes of a file held in memory before it goes to disk
)

// form is a submitted form, urlencoded or multipart.
type form struct {
	values map[string][]string
	files  map[string][]pando.Upload
	temp   []*os.File
}

// form parses the body; the parameters of the URL count as values too, before
// those of a multipart body and after those of an urlencoded one. The call
// cleans it up at its end.
func (c *call) form() (*form, error) {
	if c.parsed != nil {
		return c.parsed, nil
	}
	f := &form{values: map[string][]string{}, files: map[string][]pando.Upload{}}
	c.parsed = f
	var err error
	if strings.HasPrefix(c.contentType(), "multipart/") {
		err = f.readMultipart(c)
	} else {
		err = f.readURLEncoded(c)
	}
	if err != nil {
		return nil, bodyError("", err)
	}
	if c.r.URL.RawQuery != "" {
		query, err := url.ParseQuery(c.r.URL.RawQuery)
		if err != nil {
			return nil, bodyError("", err)
		}
		for key, values := range query {
			if strings.HasPrefix(c.contentType(), "multipart/") {
				f.values[key] = append(values, f.values[key]...)
			} else {
				f.values[key] = append(f.values[key], values...)
			}
		}
	}
	for key, values := range f.values {
		if err := checkUTF8([]byte(key)); err != nil {
			return nil, err
		}
		for _, v := range values {
			if err := checkUTF8([]byte(v)); err != nil {
				return nil, err
			}
		}
	}
	return f, nil
}

func (f *form) readURLEncoded(c *call) error {
	raw, err := c.readAll()
	if err != nil {
		return err
	}
	if strings.Count(string(raw), "&") >= maxFormParts {
		return pando.Invalid("The form has more than %d values.", maxFormParts)
	}
	values, err := url.ParseQuery(string(raw))
	if err != nil {
		return err
	}
	maps.Copy(f.values, values)
	return nil
}

func (f *form) readMultipart(c *call) error {
	_, params, err := mime.ParseMediaType(c.contentType())
	if err != nil {
		return err
	}
	if params["boundary"] == "" {
		return errors.New("multipart body without a boundary")
	}
	body, err := c.limited()
	if err != nil {
		return err
	}
	reader := multipart.NewReader(body, params["boundary"])
	for n := 0; ; n++ {
		part, err := reader.NextPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n >= maxFormParts {
			return pando.Invalid("The form has more than %d parts.", maxFormParts)
		}
		if err := f.readPart(part); err != nil {
			return err
		}
	}
}

func (f *form) readPart(part *multipart.Part) error {
	key := part.FormName()
	if key == "" {
		return nil
	}
	if part.FileName() == "" {
		value, err := io.ReadAll(part)
		f.values[key] = append(f.values[key], string(value))
		return err
	}
	upload, err := f.store(part)
	if err != nil {
		return err
	}
	f.files[key] = append(f.files[key], upload)
	return nil
}

// store keeps a submitted file: small ones in memory, others in a temporary
// file that has no name any more, so that a crash leaves nothing behind.
func (f *form) store(part *multipart.Part) (pando.Upload, error) {
	upload := pando.Upload{Name: filepath.Base(part.FileName())}
	head := make([]byte, memoryFile)
	n, err := io.ReadFull(part, head)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		if _, end := part.Read(make([]byte, 1)); end != io.EOF {
			return upload, io.ErrUnexpectedEOF // the body broke off, the part did not end
		}
		head = head[:n:n]
		upload.Size = int64(n)
		upload.Open = func() (io.ReadSeekCloser, error) {
			return section{io.NewSectionReader(bytes.NewReader(head), 0, int64(n))}, nil
		}
		return upload, nil
	}
	if err != nil {
		return upload, err
	}
	temp, err := os.CreateTemp("", "pando-upload-*")
	if err != nil {
		return upload, unstorable(err)
	}
	os.Remove(temp.Name())
	f.temp = append(f.temp, temp)
	if _, err := temp.Write(head); err != nil {
		return upload, unstorable(err)
	}
	rest, err := io.Copy(fileWriter{temp}, part)
	if err != nil {
		return upload, err
	}
	size := int64(n) + rest
	upload.Size = size
	upload.Open = func() (io.ReadSeekCloser, error) {
		return section{io.NewSectionReader(temp, 0, size)}, nil
	}
	return upload, nil
}

// fileWriter tells a disk that fills up from a client that breaks off.
type fileWriter struct{ f *os.File }

func (w fileWriter) Write(b []byte) (int, error) {
	n, err := w.f.Write(b)
	if err != nil {
		err = unstorable(err)
	}
	return n, err
}

func unstorable(err error) error {
	return &pando.Error{
		Kind:    pando.KindUnavailable,
		Message: "The uploaded file cannot be stored now.",
		Err:     fmt.Errorf("store upload in %s: %w", os.TempDir(), err),
	}
}

// section is a file of which each opening has its own position.
type section struct{ *io.SectionReader }

func (section) Close() error { return nil }

func (f *form) close() {
	for _, t := range f.temp {
		t.Close()
		os.Remove(t.Name()) // where an open file cannot be removed at once
	}
}

// object is the form's values with their types inferred, under the objects of
// its JSON payloads.
func (f *form) object() (map[string]any, error) {
	out := make(map[string]any, len(f.values))
	for key, values := range f.values {
		switch {
		case key == payloadKey:
		case len(values) == 1:
			out[key] = infer(values[0])
		default:
			list := make([]any, len(values))
			for i, v := range values {
				list[i] = infer(v)
			}
			out[key] = list
		}
	}
	for _, payload := range f.values[payloadKey] {
		values, err := decodeObject([]byte(payload))
		if err != nil {
			return nil, err
		}
		maps.Copy(out, values)
	}
	return out, nil
}

func (f *form) json() ([]byte, error) {
	values, err := f.object()
	if err != nil {
		return nil, err
	}
	return json.Marshal(values)
}

// fill decodes the form into a struct. Text stays text where the struct wants
// text, whatever it looks like.
func (f *form) fill(into any) error {
	values, err := f.object()
	if err != nil {
		return err
	}
	for name, sent := range f.values {
		if len(sent) == 1 && wantsText(into, name) {
			values[name] = sent[0]
		}
	}
	for _, payload := range f.values[payloadKey] {
		over, err := decodeObject([]byte(payload))
		if err != nil {
			return err
		}
		maps.Copy(values, over)
	}
	b, err := json.Marshal(values)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// wantsText tells whether the field of a struct that a key fills is a string.
func wantsText(into any, key string) bool {
	t := reflect.TypeOf(into).Elem()
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); strings.EqualFold(name, key) {
			return t.Field(i).Type.Kind() == reflect.String
		}
	}
	return false
}

// infer gives a form value the type it looks like: true, false, a number in its
// shortest spelling, else text.
func infer(s string) any {
	switch s {
	case "":
		return s
	case "true":
		return true
	case "false":
		return false
	}
	if c := s[0]; c != '-' && (c < '0' || c > '9') {
		return s
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil && strconv.FormatFloat(n, 'f', -1, 64) == s {
		return n
	}
	return s
}
