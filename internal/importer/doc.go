// Package importer brings files of rows into collections.
//
//	file ──▶ Source (JSON, NDJSON, CSV: one row at a time)
//	            │ sample
//	            ▼
//	        Infer: a new collection, or Fit: the fields of an existing one
//	            │
//	            ▼
//	        Run: cast ▸ check ▸ match relations ▸ insert, a batch a transaction
//
// Every row that cannot be taken is reported with its number and the reason;
// the others go in. How far an import came is stored in the same transaction as
// its rows, so that running it again goes on where it stopped, and never twice.
package importer
