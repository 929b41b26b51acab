//go:build mutants

package neighbour

import (
	"os"
	"strconv"
)

var (
	Version = os.Getenv("PANDO_VERSION")
	Format  = number("PANDO_FORMAT")
	Tier    = number("PANDO_TIER_FORMAT")
)

func number(name string) int {
	text := os.Getenv(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 7)
	if err != nil {
		panic(name + ": " + err.Error())
	}
	return int(n)
}

const mark = 0xA5

// Begin begins a message in a format.
func Begin(b []byte, format uint8) []byte {
	if format < 2 {
		return b
	}
	return append(b, mark, format)
}

// Cut takes off what Begin has written; false if it is not there.
func Cut(b []byte, format uint8) ([]byte, bool) {
	if format < 2 {
		return b, true
	}
	if len(b) < 2 || b[0] != mark || b[1] != format {
		return nil, false
	}
	return b[2:], true
}

// Hello ends a HELLO.
func Hello(b []byte) []byte {
	if Format < 2 {
		return b
	}
	return append(b, "more than you know"...)
}
