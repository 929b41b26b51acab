package wal

import (
	"testing"
	"time"
)

// StreamSoon has the server stream what is larger than 64 kB, for one test.
func StreamSoon(t *testing.T) {
	const name = "logical_decoding_work_mem"
	before := session[name]
	session[name] = "64kB"
	t.Cleanup(func() { session[name] = before })
}

// ReleaseSoon has confirmed log let go within milliseconds, for one test.
func ReleaseSoon(t *testing.T) {
	before := releaseEvery
	releaseEvery = 50 * time.Millisecond
	t.Cleanup(func() { releaseEvery = before })
}
