package postgres

import "context"

// registryLayout makes the tables of a cluster. They have come after the others and
// change nothing about these, so the format is the same: an older server works
// beside them, and a newer one makes them where they are missing.
//
// _pando_members has a row for each server, _pando_tailer one for the server that
// reads the log for all. _pando_cluster holds what is noted of the database as a
// whole, by key. _pando_certificates are sealed entries of certificates and their keys,
// _pando_certificate_locks the leases of who asks for one.
var registryLayout = []string{
	`CREATE TABLE IF NOT EXISTS _pando_members (
		id text COLLATE "C" PRIMARY KEY, boot text NOT NULL, address text NOT NULL, version text NOT NULL,
		format integer NOT NULL, beat bigint NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS _pando_tailer (
		id integer PRIMARY KEY CHECK (id = 1), term bigint NOT NULL, beat bigint NOT NULL, holder text NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS _pando_cluster (key text COLLATE "C" PRIMARY KEY, value text NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS _pando_certificates (
		key text COLLATE "C" PRIMARY KEY, value bytea NOT NULL, changed timestamptz NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS _pando_certificate_locks (
		name text COLLATE "C" PRIMARY KEY, holder text NOT NULL, until timestamptz NOT NULL)`,
	// For load balancers; servers of before these do not write them.
	`ALTER TABLE _pando_members ADD COLUMN IF NOT EXISTS draining boolean NOT NULL DEFAULT false,
		ADD COLUMN IF NOT EXISTS load real NOT NULL DEFAULT 0, ADD COLUMN IF NOT EXISTS joined timestamptz NOT NULL DEFAULT now()`,
}

// hasRegistry tells whether they are there, and the columns.
func hasRegistry(ctx context.Context, c *conn) (bool, error) {
	n, err := c.queryInt(ctx, `SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace
		AND relkind = 'r' AND relname IN ('_pando_members', '_pando_tailer', '_pando_cluster', '_pando_certificates', '_pando_certificate_locks'))
		+ (SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('_pando_members') AND attname = 'joined' AND NOT attisdropped)`)
	return n == int64(len(registryLayout)), err
}
