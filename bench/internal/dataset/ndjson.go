package dataset

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

// WriteRecords writes all records of spec to a file, one JSON object a line,
// for "pando import FILE --collection items".
func WriteRecords(path string, spec Spec) error {
	return writeLines(path, spec.Records, func(i int) any { return spec.Record(i) })
}

// WriteUsers writes the users from number from on, for "pando import FILE
// --collection users". They have no password: a million hashes at 60 ms each
// would take a day, and the benchmark logs in only as the first users, which
// are created through the web API.
func WriteUsers(path string, spec Spec, from int) error {
	return writeLines(path, spec.Users-from, func(i int) any {
		i += from
		return map[string]any{"id": UserID(i), "email": UserEmail(i), "name": fmt.Sprintf("User %d", i), "verified": true}
	})
}

func writeLines(path string, n int, line func(i int) any) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	enc := json.NewEncoder(w)
	for i := range n {
		if err := enc.Encode(line(i)); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Close()
}
