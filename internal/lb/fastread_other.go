//go:build !unix

package lb

const directReads = false

func (f *fastConn) direct(uintptr) bool { return true }

func (f *fastConn) gone() bool { return false }

// Not used, for there is no descriptor.

func (c *clientConn) readNow([]byte) (int, error)    { return 0, errLater }
func (c *clientConn) writeNow(p []byte) (int, error) { return c.writePatiently(p) }
