package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// SaveCollection creates c, or changes old into it.
func (t *tx) SaveCollection(ctx context.Context, old, c *pando.Collection) error {
	if err := t.write(ctx); err != nil {
		return err
	}
	if err := checkName(c); err != nil {
		return err
	}
	c = c.Clone() // the catalog's own from now on
	return t.whole(func() error { return t.saveCollection(old, c) })
}

func (t *tx) saveCollection(old, c *pando.Collection) error {
	var err error
	switch {
	case old == nil && c.IsView():
		err = t.createView(c)
	case old == nil:
		err = t.createTable(c)
	case old.ID != c.ID:
		err = fmt.Errorf("sqlite: %s cannot get another id", old.Name)
	case old.IsView() != c.IsView():
		err = pando.Invalid("The collection %s cannot be turned from or into a view.", old.Name)
	case c.IsView():
		err = t.alterView(old, c)
	default:
		err = t.alterTable(old, c)
	}
	if err != nil {
		return err
	}
	if err := t.storeCollection(old, c); err != nil {
		return unavailable(err)
	}
	t.setCatalog(t.cat.With(t.w.nextVersion(), c))
	t.touchTable(c)
	if old == nil {
		t.remade = append(t.remade, c.ID)
	}
	return nil
}

// checkName keeps user tables apart from the store's and SQLite's own.
func checkName(c *pando.Collection) error {
	name := strings.ToLower(c.Name)
	for _, prefix := range []string{reserved, "sqlite_"} {
		if strings.HasPrefix(name, prefix) {
			return pando.Invalid("The name %s is reserved: it begins with %s.", c.Name, prefix)
		}
	}
	for _, f := range c.Fields {
		if strings.HasPrefix(strings.ToLower(f.Name), reserved) {
			return pando.Invalid("The field name %s is reserved: it begins with %s.", f.Name, reserved)
		}
	}
	return nil
}

// storeCollection keeps the definition itself.
func (t *tx) storeCollection(old, c *pando.Collection) error {
	data, err := c.MarshalSecret()
	if err != nil {
		return err
	}
	if old == nil {
		return t.c.exec("INSERT INTO _pando_collections (id, name, data) VALUES (?, ?, ?)", c.ID, c.Name, string(data))
	}
	return t.c.exec("UPDATE _pando_collections SET name = ?, data = ? WHERE id = ?", c.Name, string(data), c.ID)
}

func (t *tx) setCatalog(cat *store.Catalog) {
	t.cat, t.catalog = cat, true
}

// nextVersion is a version that no catalog ever had, not even one of a
// transaction that was rolled back.
func (w *writer) nextVersion() uint64 {
	w.version++
	return w.version
}

// SaveSettings replaces the settings.
func (t *tx) SaveSettings(ctx context.Context, s *pando.Settings) error {
	if err := t.write(ctx); err != nil {
		return err
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := t.c.exec("UPDATE _pando_settings SET data = ?", string(data)); err != nil {
		return unavailable(err)
	}
	own := new(pando.Settings)
	if err := json.Unmarshal(data, own); err != nil {
		return err
	}
	t.setCatalog(store.NewCatalog(t.w.nextVersion(), own, t.cat.Collections))
	return nil
}

// createTable makes the table of a new collection, its columns in the order of
// their names, as PocketBase does.
func (t *tx) createTable(c *pando.Collection) error {
	fields := slices.Clone(c.Fields)
	slices.SortFunc(fields, func(a, b *pando.Field) int { return strings.Compare(a.Name, b.Name) })
	columns := make([]string, len(fields))
	for i, f := range fields {
		columns[i] = quote(f.Name) + " " + columnType(f)
	}
	sql := "CREATE TABLE " + quote(c.Name) + " (" + strings.Join(columns, ", ") + ")"
	if err := t.c.execOnce(sql); err != nil {
		return words(err)
	}
	return t.createIndexes(wantedIndexes(c))
}

// DeleteCollection drops the table, or the view.
func (t *tx) DeleteCollection(ctx context.Context, c *pando.Collection) error {
	if err := t.write(ctx); err != nil {
		return err
	}
	return t.whole(func() error { return t.deleteCollection(c) })
}

func (t *tx) deleteCollection(c *pando.Collection) error {
	err := t.changeUnderViews(c, nil, func() error {
		if c.IsView() {
			return nil // it stepped aside with the others, and does not come back
		}
		return words(t.c.execOnce("DROP TABLE " + quote(c.Name)))
	})
	if err != nil {
		return err
	}
	if err := t.c.exec("DELETE FROM _pando_collections WHERE id = ?", c.ID); err != nil {
		return unavailable(err)
	}
	t.setCatalog(t.cat.Without(t.w.nextVersion(), c.ID))
	t.touched.all = true // every record of it is gone
	t.remade = append(t.remade, c.ID)
	return nil
}
