package report

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// Write saves the run below dir as <name>.json, <name>.md and <name>.svg and
// returns the path without its extension.
func (r *Run) Write(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	base := filepath.Join(dir, r.Name)
	for ext, content := range map[string][]byte{
		".json": append(raw, '\n'), ".md": []byte(r.Markdown()), ".svg": []byte(r.Picture()),
	} {
		if err := replace(base+ext, content); err != nil {
			return "", err
		}
	}
	return base, nil
}

// replace writes a file so that there is the old or the new one at any time:
// results of hours are not lost to an interrupt.
func replace(path string, content []byte) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, content, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
