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
	maxFormParts = 5000 // values and files of one form

	// What comes before the content of a part, in bytes: the standard library
	// would keep ten megabytes of it.
	maxPartHeader = 16 << 10

	// Files up to memoryFile bytes stay in memory, until a form has memoryFiles
	// bytes of them.
	memoryFile  = 64 << 10
	memoryFiles = 256 << 10
)

// form is a submitted form, urlencoded or multipart.
type form struct {
	values map[string][]string
	files  map[string][]pando.Upload

	inMemory int64    // bytes of files
	head     []byte   // room for the beginning of a file
	temp     *os.File // all other files, one behind the other; nil: none
	tempSize int64
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
		if err = f.readMultipart(c); err == nil {
			err = c.received()
		}
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
	ending := &endWatcher{r: body, mark: []byte("--" + params["boundary"] + "--")}
	reader := multipart.NewReader(ending, params["boundary"])
	for n := 0; ; n++ {
		ending.inHeader, ending.header = true, 0
		part, err := reader.NextPart()
		ending.inHeader = false
		if err == io.EOF && !ending.seen {
			return io.ErrUnexpectedEOF // the reader takes an end among headers for the end of the form
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n >= maxFormParts {
			return pando.Invalid("The form has more than %d parts.", maxFormParts)
		}
		if err := f.readPart(c, part); err != nil {
			return err
		}
	}
}

// endWatcher notices the final boundary of a form on its way, and ends a form whose
// parts have overlong headers.
type endWatcher struct {
	r    io.Reader
	mark []byte
	tail []byte // the last bytes, shorter than mark
	seen bool

	inHeader bool // what is read now is no content
	header   int  // bytes of it so far
}

func (w *endWatcher) Read(p []byte) (int, error) {
	if w.inHeader && w.header >= maxPartHeader {
		return 0, pando.Invalid("The header of a part of the form has more than %d bytes.", maxPartHeader)
	}
	n, err := w.r.Read(p)
	w.header += n
	if w.seen || n == 0 {
		return n, err
	}
	// The mark may lie across two reads.
	seam := append(w.tail, p[:min(n, len(w.mark)-1)]...)
	w.seen = bytes.Contains(seam, w.mark) || bytes.Contains(p[:n], w.mark)
	if n >= len(w.mark)-1 {
		seam = p[n-(len(w.mark)-1) : n]
	}
	w.tail = append(w.tail[:0], seam[max(0, len(seam)-(len(w.mark)-1)):]...)
	return n, err
}

func (f *form) readPart(c *call, part *multipart.Part) error {
	key := part.FormName()
	if key == "" {
		_, err := io.Copy(io.Discard, part) // or it would count as the next one's header
		return err
	}
	if err := c.charge(costOfByte * int64(len(key)+len(part.FileName()))); err != nil {
		return err
	}
	if part.FileName() == "" {
		value, err := f.readValue(c, key, part)
		f.values[key] = append(f.values[key], value)
		return err
	}
	upload, err := f.store(part)
	if err != nil {
		return err
	}
	f.files[key] = append(f.files[key], upload)
	return nil
}

func (f *form) readValue(c *call, key string, part *multipart.Part) (string, error) {
	head := f.headRoom(smallBody)
	n, err := io.ReadFull(part, head)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		if err := endOf(part); err != nil {
			return "", err
		}
		return string(head[:n]), c.charge(costOfValue + costOfByte*int64(n))
	}
	if err != nil {
		return "", err
	}
	raw, err := c.readCharged(io.MultiReader(bytes.NewReader(head), part), -1)
	if err == nil && key == payloadKey {
		err = c.chargeValues(raw)
	}
	return string(raw), err
}

// headRoom is n bytes to read the beginning of a part into, until the next part.
func (f *form) headRoom(n int) []byte {
	if f.head == nil {
		f.head = make([]byte, memoryFile)
	}
	return f.head[:n]
}

// endOf fails if it was the body that broke off where a part seems to end.
func endOf(part *multipart.Part) error {
	if _, err := part.Read(make([]byte, 1)); err != io.EOF {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// store keeps a submitted file: the first small ones in memory, all others in a
// temporary file that has no name any more, so that a crash leaves nothing
// behind.
func (f *form) store(part *multipart.Part) (pando.Upload, error) {
	upload := pando.Upload{Name: filepath.Base(part.FileName())}
	head := f.headRoom(memoryFile)
	n, err := io.ReadFull(part, head)
	ended := err == io.EOF || err == io.ErrUnexpectedEOF
	switch {
	case ended:
		if err := endOf(part); err != nil {
			return upload, err
		}
		upload.Size = int64(n)
		if f.inMemory+upload.Size <= memoryFiles {
			f.inMemory += upload.Size
			upload.Open = opener(bytes.NewReader(bytes.Clone(head[:n])), 0, upload.Size)
			return upload, nil
		}
	case err != nil:
		return upload, err
	}
	if f.temp == nil {
		if f.temp, err = os.CreateTemp("", "pando-upload-*"); err != nil {
			return upload, unstorable(err)
		}
		os.Remove(f.temp.Name())
	}
	if _, err := f.temp.Write(head[:n]); err != nil {
		return upload, unstorable(err)
	}
	upload.Size = int64(n)
	if !ended {
		rest, err := io.Copy(fileWriter{f.temp}, part)
		if err != nil {
			return upload, err
		}
		upload.Size += rest
	}
	upload.Open = opener(f.temp, f.tempSize, upload.Size)
	f.tempSize += upload.Size
	return upload, nil
}

// opener opens size bytes of r from an offset on.
func opener(r io.ReaderAt, from, size int64) func() (io.ReadSeekCloser, error) {
	return func() (io.ReadSeekCloser, error) { return section{io.NewSectionReader(r, from, size)}, nil }
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
	if f.temp != nil {
		f.temp.Close()
		os.Remove(f.temp.Name()) // where an open file cannot be removed at once
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
