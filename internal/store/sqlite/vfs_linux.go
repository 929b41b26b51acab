package sqlite

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	lib "modernc.org/sqlite/lib"
)

// vfsName is the driver below SQLite that connections use: SQLite's own, but it
// syncs with fdatasync, which SQLite has to be compiled for and the translated
// library is not. The log is written over in place most of the time; then fsync
// also writes the file's time of change, for nothing, and a commit takes half as
// long again.
var vfsName = sync.OnceValues(registerVFS)

// vfs remembers what is replaced.
var vfs struct {
	open uintptr // SQLite's own xOpen

	mu      sync.Mutex
	methods map[uintptr]uintptr // a copy of each table of methods, by the original
	sync    map[uintptr]uintptr // SQLite's own xSync, by the copy
}

// registerVFS makes the driver and returns its name, a C string.
func registerVFS() (uintptr, error) {
	tls := libc.NewTLS()
	defer tls.Close()
	if rc := lib.Xsqlite3_initialize(tls); rc != lib.SQLITE_OK {
		return 0, fmt.Errorf("initialize SQLite: %d", rc)
	}
	original := lib.Xsqlite3_vfs_find(tls, 0)
	name, err := libc.CString("pando")
	if err != nil {
		return 0, err
	}
	own := libc.Xmalloc(tls, types.Size_t(unsafe.Sizeof(lib.Tsqlite3_vfs{})))
	if original == 0 || own == 0 {
		return 0, errors.New("initialize SQLite: no driver for files")
	}
	v := at[lib.Tsqlite3_vfs](own)
	*v = *at[lib.Tsqlite3_vfs](original)
	vfs.open = v.FxOpen
	vfs.methods, vfs.sync = map[uintptr]uintptr{}, map[uintptr]uintptr{}
	v.FzName, v.FpNext, v.FxOpen = name, 0, callback(vfsOpen)
	if rc := lib.Xsqlite3_vfs_register(tls, own, 0); rc != lib.SQLITE_OK {
		return 0, fmt.Errorf("initialize SQLite: %d", rc)
	}
	return name, nil
}

// function is the Go form of a C function pointer.
func function[F any](address uintptr) F { return *(*F)(unsafe.Pointer(&struct{ p uintptr }{address})) }

// vfsOpen opens as SQLite does, and gives the file the methods with another xSync.
func vfsOpen(tls *libc.TLS, v, path, file uintptr, flags int32, outFlags uintptr) int32 {
	open := function[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](vfs.open)
	rc := open(tls, v, path, file, flags, outFlags)
	if rc != lib.SQLITE_OK {
		return rc
	}
	f := at[lib.TunixFile](file)
	vfs.mu.Lock()
	defer vfs.mu.Unlock()
	own := vfs.methods[f.FpMethod]
	if own == 0 {
		own = libc.Xmalloc(tls, types.Size_t(unsafe.Sizeof(lib.Tsqlite3_io_methods{})))
		if own == 0 {
			return lib.SQLITE_OK // SQLite's own methods do as well
		}
		m := at[lib.Tsqlite3_io_methods](own)
		*m = *at[lib.Tsqlite3_io_methods](f.FpMethod)
		vfs.methods[f.FpMethod], vfs.sync[own] = own, m.FxSync
		m.FxSync = callback(vfsSync)
	}
	f.FpMethod = own
	return lib.SQLITE_OK
}

// vfsSync makes what was written to a file durable. The first sync of a new file
// is SQLite's own, which syncs the directory as well.
func vfsSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	f := at[lib.TunixFile](file)
	if f.FctrlFlags&lib.UNIXFILE_DIRSYNC != 0 {
		vfs.mu.Lock()
		own := vfs.sync[f.FpMethod]
		vfs.mu.Unlock()
		return function[func(*libc.TLS, uintptr, int32) int32](own)(tls, file, flags)
	}
	for {
		switch err := unix.Fdatasync(int(f.Fh)); {
		case err == nil:
			return lib.SQLITE_OK
		case errors.Is(err, unix.EINTR):
		default:
			errno, _ := errors.AsType[unix.Errno](err)
			f.FlastErrno = int32(errno)
			return lib.SQLITE_IOERR_FSYNC
		}
	}
}
