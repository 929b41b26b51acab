package store

import (
	"encoding/json"
	"slices"
)

// SameValue tells whether two values of one field are stored alike.
func SameValue(a, b any) bool {
	switch x := a.(type) {
	case []string:
		y, ok := b.([]string)
		return ok && slices.Equal(x, y)
	case json.RawMessage:
		y, ok := b.(json.RawMessage)
		return ok && string(x) == string(y)
	}
	switch b.(type) {
	case []string, json.RawMessage:
		return false
	}
	return a == b
}
