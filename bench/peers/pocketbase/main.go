// Command pocketbase is the peer that Pando is compared with: an unchanged
// PocketBase, built from its published module. It is a module of its own so
// that none of its dependencies become Pando's.
package main

import (
	"log"

	"github.com/pocketbase/pocketbase"
)

func main() {
	if err := pocketbase.New().Start(); err != nil {
		log.Fatal(err)
	}
}
