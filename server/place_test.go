package server_test

import (
	"testing"

	"github.com/pandobase/pando/server"
)

func TestMaskDatabase(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  "",
		"postgres://db/app":                 "postgres://db/app",
		"postgres://pando@h1,h2:5433/app":   "postgres://pando@h1,h2:5433/app",
		"postgres://pando:s3cret@h1:1,h2/a": "postgres://pando:xxxxx@h1:1,h2/a",
		"postgres://pando:s@cr:et@h1/a":     "postgres://pando:xxxxx@h1/a",
		"postgres://h1/a?user=x&password=s3cret&sslmode=require": "postgres://h1/a?password=xxxxx&sslmode=require&user=x",
		"postgres://h1/a?sslpassword=s3cret":                     "postgres://h1/a?sslpassword=xxxxx",
		"host=h1 password=s3cret":                                "(no address)",
	} {
		if got := server.MaskDatabase(in); got != want {
			t.Errorf("MaskDatabase(%q) = %q, want %q", in, got, want)
		}
	}
}
