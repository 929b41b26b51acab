package doctor

// Machine is what is known of the machine and the data directory.
type Machine struct {
	Dir        string
	DirError   error  // why it cannot be written to; nil if it can
	FreeBytes  uint64 // on its disk; 0 if unknown
	DiskBytes  uint64
	OpenFiles  uint64 // the limit of this process; 0 if unknown
	Memory     uint64 // bytes this process may use
	Processors int
}

const (
	lowDisk      = 1 << 30 // bytes
	fewOpenFiles = 4096
)

// CheckMachine judges a machine.
func CheckMachine(m Machine) []Check {
	l := &list{about: "machine"}
	switch {
	case m.DirError != nil:
		l.bad("Give this user the right to write there, or choose another directory with --dir.", "The data directory %s cannot be written to: %v.", m.Dir, m.DirError)
	default:
		l.ok("The data directory %s can be written to.", m.Dir)
	}
	switch {
	case m.DiskBytes == 0:
	case m.FreeBytes < lowDisk || m.FreeBytes < m.DiskBytes/20:
		l.warn("Make room, or move the directory to a larger disk.", "Its disk has %s of %s left.", size(m.FreeBytes), size(m.DiskBytes))
	default:
		l.ok("Its disk has %s of %s left.", size(m.FreeBytes), size(m.DiskBytes))
	}
	switch {
	case m.OpenFiles == 0:
	case m.OpenFiles < fewOpenFiles:
		l.warn("Raise it: LimitNOFILE=65536 in the systemd unit, or ulimit -n 65536.", "At most %d files and connections can be open at once.", m.OpenFiles)
	default:
		l.ok("%d files and connections can be open at once.", m.OpenFiles)
	}
	l.ok("%d processors, %s of memory.", m.Processors, size(m.Memory))
	return l.checks
}
