//go:build !unix

package disk

import "os"

// syncDir does nothing: these systems cannot sync a directory; they journal
// renames by themselves.
func syncDir(*os.Root, string) error { return nil }
