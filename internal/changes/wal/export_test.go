package wal

import "testing"

// StreamSoon has the server stream what is larger than 64 kB, for one test.
func StreamSoon(t *testing.T) {
	const name = "logical_decoding_work_mem"
	before := session[name]
	session[name] = "64kB"
	t.Cleanup(func() { session[name] = before })
}
