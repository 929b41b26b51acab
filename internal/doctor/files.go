package doctor

import "time"

// Files is what is known of where files lie. The data directory is looked at with
// the machine.
type Files struct {
	Address string // without secrets; "" is the data directory
	Err     error  // why it cannot be used; nil if it can
	Step    string // at which that showed: open, put, get, delete
	// Put, Get and Delete are how long a small file took.
	Put, Get, Delete time.Duration
	Skew             time.Duration // of the other side's clock against ours
	Plain            bool          // the way there is not encrypted, and leads to another machine
	FreeBytes        uint64        // on the disk of a directory; 0 if unknown
	DiskBytes        uint64
	// Server says that records are in a database that several servers could use.
	Server bool
}

const (
	slowFile = 250 * time.Millisecond
	// wideSkew is half of what S3 forgives.
	wideSkew  = 7 * time.Minute
	largeSkew = 5 * time.Second
)

// CheckFiles judges where files lie.
func CheckFiles(f Files) []Check {
	if f.Address == "" {
		l := &list{about: "files"}
		if f.Server {
			l.ok("Files lie in the data directory. A second server on this database needs them in a bucket or a shared directory: --blob.")
		}
		return l.checks
	}
	l := &list{about: "files " + f.Address}
	if f.Err != nil {
		fix := "See what it says, correct --blob or its rights, and try again."
		if f.Step == "open" {
			l.bad(fix, "It cannot be used. %v", f.Err)
		} else {
			l.bad(fix, "A small file was to be put, read and deleted; %s failed. %v", f.Step, f.Err)
		}
	} else {
		l.took(f)
	}
	skew := f.Skew.Abs().Round(time.Second)
	switch {
	case skew > wideSkew:
		l.bad("Set both clocks by NTP.", "Its clock and this machine's are %s apart; S3 refuses requests from a quarter of an hour on.", skew)
	case skew > largeSkew:
		l.warn("Set both clocks by NTP.", "Its clock and this machine's are %s apart.", skew)
	case f.Err == nil:
		l.ok("Its clock is this machine's.")
	}
	if f.Plain {
		l.warn("Use an endpoint with https, or a network that nobody listens to.", "Files and requests travel without encryption.")
	}
	if f.DiskBytes > 0 && (f.FreeBytes < lowDisk || f.FreeBytes < f.DiskBytes/20) {
		l.warn("Make room, or move the files to a larger disk.", "Its disk has %s of %s left.", size(f.FreeBytes), size(f.DiskBytes))
	} else if f.DiskBytes > 0 {
		l.ok("Its disk has %s of %s left.", size(f.FreeBytes), size(f.DiskBytes))
	}
	return l.checks
}

func (l *list) took(f Files) {
	round := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	put, get, remove := round(f.Put), round(f.Get), round(f.Delete)
	if max(f.Put, f.Get, f.Delete) > slowFile {
		l.warn("An upload takes two puts and a delete: find out what is slow, the way or the store.",
			"A small file was put in %s, read in %s, deleted in %s.", put, get, remove)
		return
	}
	l.ok("A small file was put in %s, read in %s, deleted in %s.", put, get, remove)
}
