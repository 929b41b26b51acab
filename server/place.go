package server

import (
	"path/filepath"
	"regexp"
	"strings"
)

// Place is where data lies: files in a directory, and records in the directory's
// SQLite file or in a PostgreSQL database. The zero value is what `pando serve`
// uses without any configuration.
type Place struct {
	Dir string // data directory; "" means pando_data
	// Database is a PostgreSQL database, postgres://user:password@host1,host2/name,
	// all hosts of it in any order; "" means the SQLite file in Dir.
	Database string
}

// absolute is the place with its directory's whole path.
func (p Place) absolute() (Place, error) {
	if p.Dir == "" {
		p.Dir = DefaultDir
	}
	dir, err := filepath.Abs(p.Dir)
	if err != nil {
		return p, unusableDir(p.Dir, err)
	}
	p.Dir = dir
	return p, nil
}

func (c Config) place() Place { return Place{Dir: c.Dir, Database: c.Database} }

// secretInAddress finds the parameters of a database's address that are secret.
var secretInAddress = regexp.MustCompile(`(?i)([?&][a-z_]*password=)[^&#]*`)

// MaskDatabase is a database's address as people may see it: without its
// password, wherever it stands. Several hosts make it more than net/url reads.
func MaskDatabase(database string) string {
	scheme, rest, ok := strings.Cut(database, "://")
	if !ok {
		if database == "" {
			return ""
		}
		return "***" // no address: it may be anything
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		if user, _, has := strings.Cut(authority[:at], ":"); has {
			authority = user + ":***" + authority[at:]
		}
	}
	return scheme + "://" + authority + secretInAddress.ReplaceAllString(tail, "${1}***")
}
