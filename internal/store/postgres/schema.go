package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlgen"
)

var errAlone = errors.New("a change of the schema takes its lock from the beginning")

// schemaLock makes sure that the transaction has the schema to itself. A lock
// that comes late would wait for others who wait for it, and its snapshot would
// not show what they did: unless nothing has happened yet, fn is run again.
func (t *tx) schemaLock(ctx context.Context) error {
	if err := t.usable(ctx); err != nil {
		return err
	}
	if (!t.mode.alone || t.mode.turn) && (t.begun || t.c != nil) {
		return t.restart(errAlone, mode{alone: true})
	}
	t.mode.alone, t.mode.turn = true, false
	t.blind, t.inserts = false, false
	if err := t.send(ctx, false); err != nil {
		return err
	}
	return t.moveGate(ctx)
}

// whole runs a change of several statements, all of which are kept or none: fn
// may go on with the transaction after an error.
func (t *tx) whole(ctx context.Context, change func() error) error {
	if err := t.schemaLock(ctx); err != nil {
		return err
	}
	if err := t.exec(ctx, "SAVEPOINT step"); err != nil {
		return err
	}
	cat, catalog, tags, all := t.cat, t.catalog, len(t.tags), t.all
	err := change()
	if t.again != nil {
		return errAgain
	}
	if t.c.broken() {
		return t.lost(ctx, err)
	}
	t.c.forget() // statements for tables that are not what they were
	t.known = nil
	if err == nil {
		t.wrote = true
		return t.exec(ctx, "RELEASE step")
	}
	t.cat, t.catalog, t.tags, t.all = cat, catalog, t.tags[:tags], all
	if undo := t.c.exec(context.WithoutCancel(ctx), "ROLLBACK TO step", "RELEASE step"); undo != nil {
		return t.lost(t.ctx, undo)
	}
	return err
}

// exec runs statements of the store's own, or texts that came from a user, about
// which PostgreSQL is quoted.
func (t *tx) exec(ctx context.Context, sql ...string) error {
	for _, text := range sql {
		if err := t.retried(ctx, t.c.exec(ctx, text)); err != nil {
			return words(err)
		}
	}
	return nil
}

// retried notes failures that another try may not have.
func (t *tx) retried(ctx context.Context, err error) error {
	switch code := codeOf(err); {
	case err == nil:
		return nil
	case code == codeSerialization || code == codeDeadlock:
		return t.restart(err, mode{})
	case t.c.broken():
		return t.lost(ctx, err)
	}
	return err
}

// SaveCollection creates c, or changes old into it.
func (t *tx) SaveCollection(ctx context.Context, old, c *pando.Collection) error {
	if err := checkNames(c); err != nil {
		return err
	}
	c = c.Clone() // the catalog's own from now on
	return t.whole(ctx, func() error { return t.saveCollection(ctx, old, c) })
}

func (t *tx) saveCollection(ctx context.Context, old, c *pando.Collection) error {
	var err error
	switch {
	case old == nil && c.IsView():
		err = t.createView(ctx, c)
	case old == nil:
		err = t.createTable(ctx, c)
	case old.ID != c.ID:
		err = fmt.Errorf("postgres: %s cannot get another id", old.Name)
	case old.IsView() != c.IsView():
		err = pando.Invalid("The collection %s cannot be turned from or into a view.", old.Name)
	case c.IsView():
		err = t.alterView(ctx, old, c)
	default:
		err = t.alterTable(ctx, old, c)
	}
	if err != nil {
		return err
	}
	if err := t.storeCollection(ctx, old, c); err != nil {
		return err
	}
	t.setCatalog(t.cat.With(t.s.nextVersion(t.cat.Version), c))
	t.touchTable(c)
	return nil
}

// checkNames keeps user tables apart from the store's own, and refuses names
// that PostgreSQL would cut off.
func checkNames(c *pando.Collection) error {
	check := func(what, name string) error {
		switch lower := strings.ToLower(name); {
		case strings.HasPrefix(lower, reserved):
			return pando.Invalid("The %s %s is reserved: it begins with %s.", what, name, reserved)
		case what == "name" && (strings.HasPrefix(lower, "sqlite_") || strings.HasPrefix(lower, "pg_")):
			return pando.Invalid("The name %s is reserved: it begins with %s_.", name, lower[:strings.IndexByte(lower, '_')])
		case len(name) > longestName:
			return pando.Invalid("The %s %s is longer than the %d bytes that PostgreSQL's names can have.", what, name, longestName)
		}
		return nil
	}
	if err := check("name", c.Name); err != nil {
		return err
	}
	for _, f := range c.Fields {
		if err := check("field name", f.Name); err != nil {
			return err
		}
	}
	return nil
}

// storeCollection keeps the definition itself.
func (t *tx) storeCollection(ctx context.Context, old, c *pando.Collection) error {
	data, err := c.MarshalSecret()
	if err != nil {
		return err
	}
	sql := "UPDATE _pando_collections SET name = $2, data = $3 WHERE id = $1"
	if old == nil {
		sql = "INSERT INTO _pando_collections (id, name, data) VALUES ($1, $2, $3)"
	}
	err = t.retried(ctx, t.c.each(ctx, sql, nil, c.ID, c.Name, string(data)))
	if codeOf(err) == codeUnique {
		return &pando.Error{Kind: pando.KindInvalid, Message: "There is a collection " + c.Name + " already.", Err: err}
	}
	return unavailable(err)
}

func (t *tx) setCatalog(cat *store.Catalog) {
	t.cat, t.catalog = cat, true
}

// SaveSettings replaces the settings.
func (t *tx) SaveSettings(ctx context.Context, s *pando.Settings) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	own := new(pando.Settings)
	if err := json.Unmarshal(data, own); err != nil {
		return err
	}
	return t.whole(ctx, func() error {
		err := t.retried(ctx, t.c.each(ctx, "UPDATE _pando_settings SET data = $1", nil, string(data)))
		if err != nil {
			return unavailable(err)
		}
		t.setCatalog(store.NewCatalog(t.s.nextVersion(t.cat.Version), own, t.cat.Collections))
		return nil
	})
}

// createTable makes the table of a new collection, its columns in the order of
// their names, as on SQLite.
func (t *tx) createTable(ctx context.Context, c *pando.Collection) error {
	if err := t.exec(ctx, tableSQL(c)...); err != nil {
		return err
	}
	if err := t.addPublished(ctx, c); err != nil {
		return err
	}
	return t.createIndexes(ctx, wantedIndexes(c))
}

// tableSQL makes c's table. Its pages have room for new versions of their rows: an
// update then touches no index, and conflicts with nobody who reads next to it.
// What belongs to it has names that a rename of the
// collection does not change.
func tableSQL(c *pando.Collection) []string {
	fields := slices.Clone(c.Fields)
	slices.SortFunc(fields, func(a, b *pando.Field) int { return strings.Compare(a.Name, b.Name) })
	parts := make([]string, 0, len(fields)+2)
	for _, f := range fields {
		parts = append(parts, quote(f.Name)+" "+columnType(f))
	}
	parts = append(parts,
		quote(rowColumn)+" bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME "+quote(internalName("seq", c.ID))+")",
		"CONSTRAINT "+quote(primaryKey(c))+" PRIMARY KEY ("+quote("id")+")")
	return []string{
		"CREATE TABLE " + quote(c.Name) + " (" + strings.Join(parts, ", ") + ") WITH (fillfactor = 85)",
		"CREATE UNIQUE INDEX " + quote(internalName("row", c.ID)) + " ON " + quote(c.Name) + " (" + quote(rowColumn) + ")",
	}
}

// columnType is what stands behind a column's name. The primary key gets a name
// of its own beside.
func columnType(f *pando.Field) string {
	return strings.TrimSuffix(sqlgen.PostgresColumn(f), " PRIMARY KEY")
}

// DeleteCollection drops the table, or the view.
func (t *tx) DeleteCollection(ctx context.Context, c *pando.Collection) error {
	return t.whole(ctx, func() error { return t.deleteCollection(ctx, c) })
}

func (t *tx) deleteCollection(ctx context.Context, c *pando.Collection) error {
	err := t.changeUnderViews(ctx, c, func() error {
		if c.IsView() {
			return t.exec(ctx, "DROP VIEW IF EXISTS "+quote(c.Name))
		}
		return t.exec(ctx, "DROP TABLE "+quote(c.Name))
	})
	if err != nil {
		return err
	}
	if err := t.retried(ctx, t.c.each(ctx, "DELETE FROM _pando_collections WHERE id = $1", nil, c.ID)); err != nil {
		return unavailable(err)
	}
	t.setCatalog(t.cat.Without(t.s.nextVersion(t.cat.Version), c.ID))
	t.all = true // every record of it is gone
	return nil
}
