// Command build builds the S3 server of the tests, unless it is built.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/pandobase/pando/test/s3server"
)

func main() {
	if _, err := s3server.Build(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
