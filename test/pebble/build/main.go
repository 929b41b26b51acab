// Command build builds the ACME authority of the tests, unless it is built.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/pandobase/pando/test/pebble"
)

func main() {
	if _, _, err := pebble.Programs(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
