//go:build !unix

package lb

// fill is not used where descriptors are not read directly.
func (f *fastConn) fill(uintptr) bool { return true }
