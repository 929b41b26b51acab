package server

import (
	"path/filepath"

	"github.com/pandobase/pando/internal/store/postgres"
)

// Place is where data lies: files in a directory or a bucket, and records in the
// directory's SQLite file or in a PostgreSQL database. The zero value is what `pando serve`
// uses without any configuration.
type Place struct {
	Dir string // data directory; "" means pando_data
	// Database is a PostgreSQL database, postgres://user:password@host1,host2/name,
	// all hosts of it in any order; "" means the SQLite file in Dir.
	Database string
	// Blob is where files lie, for several servers: s3://bucket/prefix?endpoint=… or
	// file:///shared/dir; "" means Dir. BlobKey and BlobSecret are the credentials of
	// a bucket, BlobToken the third part of temporary ones.
	Blob, BlobKey, BlobSecret, BlobToken string
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

func (c Config) place() Place {
	return Place{
		Dir: c.Dir, Database: c.Database,
		Blob: c.Blob, BlobKey: c.BlobKey, BlobSecret: c.BlobSecret, BlobToken: c.BlobToken,
	}
}

// MaskDatabase is a database's address as people may see it: without passwords.
func MaskDatabase(database string) string {
	switch {
	case database == "":
		return ""
	case !postgres.IsURL(database):
		return "(no address)" // it may be anything, a password among it
	}
	return postgres.Mask(database)
}
