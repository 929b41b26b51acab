package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// sniffed is how much of a file is looked at, as much as mimetype takes.
const sniffed = 3072

// byExtension are the texts that cannot be told from plain text by looking.
var byExtension = map[string]string{
	".css": "text/css",
	".js":  "text/javascript",
	".mjs": "text/javascript",
	".md":  "text/markdown; charset=utf-8",
}

// contentType says what is in a file. It goes by the content, since the name
// was chosen by whoever uploaded it. It leaves r at its beginning.
func contentType(r io.ReadSeeker, name string) (string, error) {
	head := make([]byte, sniffed)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", fmt.Errorf("files: content of %s: %w", name, err)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("files: content of %s: %w", name, err)
	}
	head = head[:n]
	kind, ext := mimetype.Detect(head), strings.ToLower(path.Ext(name))
	switch {
	case ext == ".mp3" && bytes.HasPrefix(head, []byte("ID3")):
		return "audio/mpeg", nil // the tag may be longer than what is looked at
	case kind.Is("text/plain") && byExtension[ext] != "":
		return byExtension[ext], nil
	}
	return kind.String(), nil
}
