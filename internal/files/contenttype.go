package files

import (
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

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
	kind, err := mimetype.DetectReader(r)
	if err != nil {
		return "", fmt.Errorf("files: content of %s: %w", name, err)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("files: content of %s: %w", name, err)
	}
	if kind.Is("text/plain") {
		if known := byExtension[strings.ToLower(path.Ext(name))]; known != "" {
			return known, nil
		}
	}
	return kind.String(), nil
}
