// Package collections is the service of the definitions of collections: their
// web API (list, view, create, update, delete, truncate, import, scaffolds,
// dry run of a view), and what a new data directory starts with.
//
// A definition goes one way, whoever sends it:
//
//	decode     a JSON body is merged into a scaffold or into the stored definition
//	complete   what users may leave out is filled in: ids, system fields and their
//	           indexes, the fields of a view
//	validate   pure functions of (catalog, old, new), one file for each part
//	save       store.Tx.SaveCollection, and again for the views that read it
//
// All of it runs inside the one transaction that saves, so what is validated is
// what is there.
package collections
