package store_test

import (
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

func TestVolatileView(t *testing.T) {
	for query, want := range map[string]bool{
		"SELECT id, title FROM posts":                                     false,
		"SELECT id, strftime('%Y-%m', created) AS month FROM posts":       false,
		"SELECT id, date(created) AS date, time FROM posts":               false,
		"SELECT id FROM posts WHERE created > datetime('now', '-1 hour')": true,
		"SELECT id FROM posts WHERE created > DATE ( )":                   true,
		"SELECT id, strftime('%d, %m') AS d FROM posts":                   true,
		"SELECT id, strftime('%d, (%m', created) AS d FROM posts":         false,
		`SELECT id, "julianday"() AS d FROM posts`:                        true,
		"SELECT id, unixepoch('subsec') AS d FROM posts":                  true,
		"SELECT id, Current_Timestamp AS d FROM posts":                    true,
		"SELECT id FROM posts ORDER BY RANDOM()":                          true,
		"SELECT id FROM randoms":                                          false,
		"SELECT id FROM dice":                                             true,
		"SELECT id FROM me":                                               false,
	} {
		me := &pando.Collection{ID: "v1", Name: "me", Type: pando.TypeView, ViewQuery: query}
		dice := &pando.Collection{ID: "v2", Name: "Dice", Type: pando.TypeView, ViewQuery: "SELECT id, random() AS n FROM posts"}
		c := store.NewCatalog(1, nil, []*pando.Collection{dice, me})
		if got := c.VolatileView(me); got != want {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
}
