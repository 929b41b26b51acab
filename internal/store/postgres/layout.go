package postgres

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlgen"
)

const (
	// formatVersion tells how the database is laid out. A higher one than ours is
	// refused.
	formatVersion = 1

	// reserved begins the names of tables, indexes and columns that are the
	// store's own.
	reserved = "_pando"

	// rowColumn is the insertion order.
	rowColumn = reserved + "_row"

	oldestServer = 140000

	// layoutLock serializes those who lay out a database.
	layoutLock = "5759930184"
)

// layout makes the store's own tables.
//
// _pando_meta has one row, changed with the schema and never by writes of
// records: see gate.go for how these are kept apart. catalog is the version of the collections and settings,
// term counts the servers that have written, one after the other: see lease.go.
// database and incarnation are the epoch, functions a hash of those in the schema
// _pando. Servers of two neighbouring versions may use one database: whoever starts
// makes its own functions, and takes none away, so a function that is to do something
// else than before gets another name; and what a version adds to a table has a default.
var layout = []string{
	`CREATE TABLE _pando_meta (
		id integer PRIMARY KEY CHECK (id = 1),
		format integer NOT NULL, catalog bigint NOT NULL, term bigint NOT NULL,
		database bigint NOT NULL, incarnation bigint NOT NULL, functions text NOT NULL)`,
	`CREATE SEQUENCE _pando_gate`,
	`CREATE TABLE _pando_lease (
		id integer PRIMARY KEY CHECK (id = 1),
		term bigint NOT NULL, holder text NOT NULL, host text NOT NULL, pid bigint NOT NULL,
		since timestamptz NOT NULL, beat bigint NOT NULL, beaten timestamptz NOT NULL)`,
	`CREATE TABLE _pando_collections (
		seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		id text COLLATE "C" UNIQUE NOT NULL, name text COLLATE "C" NOT NULL, data json NOT NULL)`,
	`CREATE UNIQUE INDEX _pando_collections_name ON _pando_collections (lower(name))`,
	`CREATE TABLE _pando_settings (id integer PRIMARY KEY CHECK (id = 1), data json NOT NULL)`,
	`CREATE TABLE _pando_params (key text COLLATE "C" PRIMARY KEY, value bytea NOT NULL)`,
}

// meta is the row of _pando_meta.
type meta struct {
	format    int
	catalog   uint64
	term      uint64
	functions string
	gate      int64 // true only while the schema is locked
}

const metaSQL = "SELECT format, catalog, term, functions, (SELECT last_value FROM _pando_gate) FROM _pando_meta"

func readMeta(ctx context.Context, c *conn) (m meta, err error) {
	found := false
	err = c.each(ctx, metaSQL, func(v [][]byte) error {
		found = true
		m.functions = string(v[3])
		if m.format, err = strconv.Atoi(string(v[0])); err != nil {
			return err
		}
		if m.catalog, err = strconv.ParseUint(string(v[1]), 10, 64); err != nil {
			return err
		}
		if m.term, err = strconv.ParseUint(string(v[2]), 10, 64); err != nil {
			return err
		}
		m.gate, err = strconv.ParseInt(string(v[4]), 10, 64)
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("_pando_meta is empty")
	}
	return m, err
}

// prepare checks what the database is, and lays it out if it is empty.
func (s *Store) prepare(ctx context.Context, c *conn) error {
	if err := checkServer(ctx, c); err != nil {
		return err
	}
	m, empty, err := s.checkFormat(ctx, c)
	if err != nil {
		return err
	}
	complete, err := hasRegistry(ctx, c)
	if err != nil {
		return unavailable(err)
	}
	if !empty && complete && m.functions == functionsHash() {
		return nil
	}
	// Whatever has to be made is made by one of those who find it missing.
	return s.inLayout(ctx, c, func() error {
		m, empty, err := s.checkFormat(ctx, c)
		if err != nil {
			return err
		}
		if empty {
			return createLayout(ctx, c)
		}
		if err := c.exec(ctx, registryLayout...); err != nil {
			return err
		}
		if m.functions == functionsHash() {
			return nil
		}
		if err := createFunctions(ctx, c); err != nil {
			return err
		}
		return c.each(ctx, "UPDATE _pando_meta SET functions = $1", nil, functionsHash())
	})
}

// inLayout runs fn in a transaction that nobody else runs at the same time.
func (s *Store) inLayout(ctx context.Context, c *conn, fn func() error) error {
	err := c.exec(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED", "SELECT pg_advisory_xact_lock("+layoutLock+")")
	if err == nil {
		err = fn()
	}
	if err == nil {
		err = c.exec(ctx, "COMMIT")
	}
	if err != nil && !c.broken() && c.pg.TxStatus() != 'I' {
		_ = c.exec(ctx, "ROLLBACK")
	}
	if codeOf(err) == codePrivilege {
		return s.noRight()
	}
	return unavailable(err)
}

func (s *Store) noRight() error {
	return &pando.Error{
		Kind: pando.KindInvalid,
		Message: fmt.Sprintf("The role %s may not create tables in the database %s. Make it the owner: ALTER DATABASE %[2]s OWNER TO %[1]s; and GRANT ALL ON SCHEMA public TO %[1]s.",
			s.user(), s.database()),
	}
}

// checkServer refuses a server that we cannot work with.
func checkServer(ctx context.Context, c *conn) error {
	var version, encoding string
	err := c.each(ctx, "SELECT current_setting('server_version_num'), current_setting('server_encoding')", func(v [][]byte) error {
		version, encoding = string(v[0]), string(v[1])
		return nil
	})
	if err != nil {
		return unavailable(err)
	}
	if n, err := strconv.Atoi(version); err == nil && n < oldestServer {
		return pando.Invalid("The server is PostgreSQL %d; Pando needs %d or later.", n/10000, oldestServer/10000)
	}
	if encoding != "UTF8" {
		return pando.Invalid("The database has the encoding %s; Pando needs UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.", encoding)
	}
	return nil
}

// checkFormat tells whether the database is empty; if it is not, it must be one
// that this version can work with. What extensions have put there does not count.
func (s *Store) checkFormat(ctx context.Context, c *conn) (m meta, empty bool, err error) {
	var relations, ours int64
	err = c.each(ctx, `SELECT count(*), count(*) FILTER (WHERE relname = '_pando_meta') FROM pg_class r
		WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'v', 'm', 'p', 'f')
		AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.deptype = 'e')`,
		func(v [][]byte) error {
			if relations, err = strconv.ParseInt(string(v[0]), 10, 64); err != nil {
				return err
			}
			ours, err = strconv.ParseInt(string(v[1]), 10, 64)
			return err
		})
	switch {
	case codeOf(err) == "22004" || codeOf(err) == "42704": // no current schema
		return m, false, pando.Invalid("The role %s has no schema to work in. Create the schema public, or set its search_path.", s.user())
	case err != nil:
		return m, false, unavailable(err)
	case ours > 0:
		m, err = readMeta(ctx, c)
		if codeOf(err) == codePrivilege {
			return m, false, pando.Invalid("The role %s may not read Pando's tables in the database %s: use the role that created them, or grant it their rights.", s.user(), s.database())
		}
		if codeOf(err) == codeUndefinedColumn {
			return m, false, pando.Invalid("The database %s has tables of another program by the name _pando_meta. Choose an empty database.", s.database())
		}
		if err == nil && m.format > formatVersion {
			err = pando.Invalid("The database %s was written by a newer version of Pando (format %d, this one knows up to %d). Use that version.", s.database(), m.format, formatVersion)
		}
		return m, false, unavailable(err)
	case relations > 0:
		return m, false, pando.Invalid("The database %s has tables of another program. Choose an empty database.", s.database())
	}
	return m, true, nil
}

func createFunctions(ctx context.Context, c *conn) error {
	if err := c.exec(ctx, "CREATE SCHEMA IF NOT EXISTS _pando"); err != nil {
		return err
	}
	return c.exec(ctx, sqlgen.PostgresFunctions()...)
}

// functionsHash names a version of the functions.
func functionsHash() string {
	sum := sha256.Sum256([]byte(strings.Join(sqlgen.PostgresFunctions(), "\x00")))
	return hex.EncodeToString(sum[:8])
}

func createLayout(ctx context.Context, c *conn) error {
	if err := createFunctions(ctx, c); err != nil {
		return err
	}
	if err := c.exec(ctx, append(slices.Clone(layout), registryLayout...)...); err != nil {
		return err
	}
	settings, err := json.Marshal(pando.DefaultSettings())
	if err != nil {
		return err
	}
	var random [8]byte
	rand.Read(random[:])
	database := strconv.FormatUint(binary.LittleEndian.Uint64(random[:])>>1, 10)
	if err := c.each(ctx, "INSERT INTO _pando_meta VALUES (1, $1, 0, 0, $2, 1, $3)", nil, strconv.Itoa(formatVersion), database, functionsHash()); err != nil {
		return err
	}
	return c.each(ctx, "INSERT INTO _pando_settings VALUES (1, $1)", nil, string(settings))
}

// loadCatalog reads all collections and the settings, within a transaction.
func loadCatalog(ctx context.Context, c *conn, version uint64) (*store.Catalog, error) {
	settings := new(pando.Settings)
	collections := []*pando.Collection{}
	err := c.each(ctx, "SELECT data FROM _pando_settings", func(v [][]byte) error {
		return json.Unmarshal(v[0], settings)
	})
	if err != nil {
		return nil, fmt.Errorf("load settings: %w", err)
	}
	err = c.each(ctx, "SELECT data, name FROM _pando_collections ORDER BY seq", func(v [][]byte) error {
		col := new(pando.Collection)
		if err := json.Unmarshal(v[0], col); err != nil {
			return fmt.Errorf("%s: %w", v[1], err)
		}
		collections = append(collections, col)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load collections: %w", err)
	}
	return store.NewCatalog(version, settings, collections), nil
}

// longestName is how many bytes PostgreSQL's names have; it cuts off the rest.
const longestName = 63

// internalName is a name of the store's own for something of a collection.
func internalName(parts ...string) string {
	name := reserved + "_" + strings.Join(parts, "_")
	if len(name) <= longestName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:longestName-17] + "_" + hex.EncodeToString(sum[:8])
}
