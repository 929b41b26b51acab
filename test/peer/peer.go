// Package peer builds the server that Pando is compared with: an unchanged
// PocketBase, from the small module in bench/peers/pocketbase.
//
// The peer is a black box. Tests start it as a process (see package target),
// send it the requests that Pando gets, and compare what comes back.
package peer

import (
	"context"
	"path/filepath"

	"github.com/pandobase/pando/test/built"
)

// source is where the peer's module is, seen from the repository's root.
const source = "bench/peers/pocketbase"

// Build returns the path of the peer's binary, building it if need be. root is the
// repository's root.
func Build(ctx context.Context, root string) (string, error) {
	return built.Program(ctx, filepath.Join(root, source), ".", "pocketbase")
}
