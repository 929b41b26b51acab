package store

import (
	"encoding/json"

	"github.com/pandobase/pando"
)

// SizeOf is about how many bytes a record takes in memory, for facts that keep one.
func SizeOf(rec *pando.Record) int {
	n := 64
	for _, v := range rec.Values {
		n += 32 // the interface and the header of what it holds
		switch v := v.(type) {
		case string:
			n += len(v)
		case []string:
			for _, s := range v {
				n += 16 + len(s)
			}
		case json.RawMessage:
			n += len(v)
		}
	}
	return n
}
