// Package position is the clock of the data path: positions in the log of
// commits, and the index of last changes by which a reader judges what a cache
// holds.
//
// Every commit has a position, a number that grows by commit order. A fact (a
// cached answer) is stamped with a position s, meaning that it holds every
// commit up to s, and carries the tags of everything it was made from. The
// index knows for each tag the position of its last change. A fact may be
// served if no tag of it changed after s: nobody has to tell the cache anything,
// and a cache that loses, delays or resurrects entries can only cost hits.
package position

// N is the position of a commit within one epoch. 0 is before every commit.
type N uint64

// Epoch tells apart logs whose numbers must not be compared: another database
// file, or the same one restored from a copy.
type Epoch struct {
	Database    uint64 // random, made with the database
	Incarnation uint64 // grows each time the database is restored
	Timeline    uint32 // grows with each failover; 0 on one machine
}

// After tells whether e came after old, in the history of one database.
func (e Epoch) After(old Epoch) bool {
	if e.Incarnation != old.Incarnation {
		return e.Incarnation > old.Incarnation
	}
	return e.Timeline > old.Timeline
}
