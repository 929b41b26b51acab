package sqlgen

// PostgresFunctions are the statements that create schema _pando and the
// functions that the dialect calls. They can be run again.
func PostgresFunctions() []string { return []string{"CREATE SCHEMA IF NOT EXISTS _pando"} }
