package sqlgen

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pandobase/pando"
)

// PostgresColumn is the type of f's column with its default: what stands behind
// its name in CREATE TABLE.
func PostgresColumn(f *pando.Field) string {
	switch {
	case f.Name == "id":
		return `text COLLATE "C" NOT NULL PRIMARY KEY`
	case f.Multiple():
		return `text[] COLLATE "C" NOT NULL DEFAULT '{}'`
	}
	switch f.Type {
	case pando.FieldNumber:
		return "double precision NOT NULL DEFAULT 0"
	case pando.FieldBool:
		return "boolean NOT NULL DEFAULT false"
	case pando.FieldDate, pando.FieldAutodate:
		return "timestamptz(3)"
	case pando.FieldJSON:
		return "json"
	case pando.FieldGeoPoint:
		return `json NOT NULL DEFAULT '{"lon":0,"lat":0}'`
	}
	return `text COLLATE "C" NOT NULL DEFAULT ''`
}

// maxName is how many bytes a name of PostgreSQL may have.
const maxName = 63

// PostgresName is what a collection, field or index is called in the database:
// its name, or for one that is too long its beginning and a hash of the whole.
func PostgresName(name string) string {
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	end := fmt.Sprintf("_%x", sum[:8])
	n := maxName - len(end)
	for !utf8.RuneStart(name[n]) {
		n--
	}
	return name[:n] + end
}

func (postgres) quote(name string) string { return quote(PostgresName(name)) }

// PostgresHolds tells whether a text of PostgreSQL can be s: it must be UTF-8
// and have no NUL.
func PostgresHolds(s string) bool {
	return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s)
}

// storable is s, or a text near it that PostgreSQL can hold.
func storable(s string) string {
	if PostgresHolds(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\x01")
}
