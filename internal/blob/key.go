package blob

import (
	"strings"

	"github.com/pandobase/pando"
)

// maxSegment is the longest name that common file systems take, in bytes.
const maxSegment = 255

// Key is where a record's file lies.
func Key(collectionID, recordID, name string) string {
	return collectionID + "/" + recordID + "/" + name
}

// Thumbs is the prefix below which the thumbs of the file at key lie; they go
// with the file.
func Thumbs(key string) string {
	i := strings.LastIndexByte(key, '/') + 1
	return key[:i] + "thumbs_" + key[i:]
}

// CheckKey refuses, with a KindInvalid error, every key that could name
// anything but a file below the store's root. Each adapter calls it first, for
// prefixes as well.
func CheckKey(key string) error {
	for i, seg := range strings.Split(key, "/") {
		switch {
		case seg == "":
			return invalidKey(key, "it has an empty part")
		case seg == "." || seg == "..":
			return invalidKey(key, "it has a part that is . or ..")
		case strings.ContainsAny(seg, "\\\x00"):
			return invalidKey(key, "it has a backslash or a zero byte")
		case len(seg) > maxSegment:
			return invalidKey(key, "a part of it is longer than 255 bytes")
		case i == 0 && seg[0] == '.':
			return invalidKey(key, "it begins with a dot") // the adapters' own place
		}
	}
	return nil
}

func invalidKey(key, why string) error {
	if len(key) > 100 {
		key = key[:100] + "..."
	}
	return pando.Invalid("The file name %q cannot be used: %s.", key, why)
}
