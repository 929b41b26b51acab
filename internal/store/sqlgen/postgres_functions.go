package sqlgen

import (
	"embed"
	"fmt"
)

// functions holds one function a file, named as it.
//
//go:embed functions/*.sql
var functions embed.FS

// PostgresFunctions are the statements that create schema _pando and the
// functions that the dialect calls, to be run in this order. They can be run
// again. All are immutable: an index may be built on them, so a change of what
// one of them answers needs those indexes rebuilt.
func PostgresFunctions() []string {
	statements := []string{"CREATE SCHEMA IF NOT EXISTS _pando"}
	files, err := functions.ReadDir("functions")
	for _, f := range files {
		var text []byte
		if text, err = functions.ReadFile("functions/" + f.Name()); err != nil {
			break
		}
		statements = append(statements, string(text))
	}
	if err != nil {
		panic(fmt.Sprintf("sqlgen: the functions are part of the program: %v", err))
	}
	return statements
}
