package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// compare reads a collection back from both sides: equal counts, and equal sums
// over every value in insertion order.
func (t *Transfer) compare(ctx context.Context, c *pando.Collection) error {
	t.progress.Collection = c.Name
	rows, sum, err := t.fingerprint(ctx, t.From, c, false) // less what was not taken
	if err != nil {
		return err
	}
	gotRows, got, err := t.fingerprint(ctx, t.To, c, true)
	switch {
	case err != nil:
		return err
	case gotRows != rows:
		return pando.Invalid("%d of %d records arrived. Was the source written to meanwhile? Stop its server, and copy again.", gotRows, rows)
	case got != sum:
		return pando.Invalid("The copy differs from the source (%s, not %s). Was the source written to meanwhile? Stop its server, and copy again.", got, sum)
	}
	t.sum.Collections = append(t.sum.Collections, Checked{Name: c.Name, Rows: rows, Sum: sum})
	return nil
}

// fingerprint is the number of a collection's records, and a sum over all of
// their values.
func (t *Transfer) fingerprint(ctx context.Context, s store.Store, c *pando.Collection, progress bool) (rows int, sum string, err error) {
	h := sha256.New()
	err = each(ctx, s, c, func(page []*pando.Record) error {
		for _, rec := range page {
			if t.refused[c.ID+"/"+rec.ID()] {
				continue
			}
			if err := write(h, rec); err != nil {
				return fmt.Errorf("record %s: %w", rec.ID(), err)
			}
			rows++
		}
		if progress {
			t.progress.Rows += len(page)
			t.step()
		}
		return nil
	})
	return rows, hex.EncodeToString(h.Sum(nil)), err
}

// write adds a record to a sum: names and values, so that a value which changed
// its field shows. Null JSON and no JSON are one, as for clients.
func write(h hash.Hash, rec *pando.Record) error {
	enc := json.NewEncoder(h)
	for i, f := range rec.Collection.Fields {
		v := rec.Values[i]
		switch list := v.(type) {
		case []string:
			if len(list) == 0 {
				v = []string{} // none, however it is held
			}
		case json.RawMessage:
			if len(list) == 0 {
				list = json.RawMessage("null")
			}
			v = string(list) // its very bytes: an encoder would compact them
		}
		if err := enc.Encode([2]any{f.Name, v}); err != nil {
			return err
		}
	}
	return nil
}
