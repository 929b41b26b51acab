package position

// Where commits are made by many at once, and their positions are known only
// after they were made (PostgreSQL), an index is told of them in two steps, by
// whoever sends the COMMIT:
//
//	Begin(tags)      before the COMMIT is sent: the tags are pending
//	COMMIT           answered; the primary shows it from here on
//	Commit(n, tags)  their last change is raised to n, then they are pending no more
//
// and a read that may choose between the primary and replicas does this:
//
//	n, pending = Need(tags)        pending: only the primary will do; else the
//	                               primary, or a replica that has replayed n
//	the read
//	_, pending = Need(tags)        on a replica: if pending, what was read is
//	                               thrown away and read on the primary
//
// Why each step is where it is. A commit is on disk, and replayed by replicas,
// before the primary shows it: with synchronous replication by as much as the
// standby takes to confirm it, which may be seconds. Nobody knows its position
// until it is answered. So, of a commit W that changes a from 1 to 2:
//
//	W                    reader 1                reader 2 (later)
//	                     Need(a): not pending
//	Begin(a)
//	COMMIT sent
//	 on disk, replayed   a = 2, from a replica
//	                     Need(a): pending!       Need(a): pending
//	                     a = 1, from the primary a = 1, from the primary
//	 visible, answered
//	Commit(n, a)                                 Need(a) = n: 2 everywhere
//
//   - Begin after the COMMIT was sent: reader 2 finds nothing pending and no
//     position, takes a replica that has not replayed W, and reads 1 after reader
//     1 was given 2, by the primary or by another replica.
//   - Without the second Need reader 1 answers 2, and reader 2, sent to the
//     primary just because W is pending, reads 1: the primary is the one node
//     that can be older than a replica.
//   - Pending no more before the position is raised: in between, reader 2 finds
//     neither.
//   - Need looks whether a tag is pending before it looks at its position. The
//     other way round a whole Commit fits in between, and both are missed.
//
// A reader that sees W on the primary while it is pending is fine: the others
// are sent to the primary too, and what it shows once it shows for ever.
// Whatever a reader has seen was therefore made by a commit that is pending, in
// which case others read it where it is visible, or settled with a position that
// others wait for.

// Begin says that a commit that changes tags is about to be sent. It must be
// settled by one call of [Index.Commit] or [Index.Abandon] with the same tags.
func (x *Index) Begin(tags []Tag) {
	for _, t := range tags {
		x.pending[t&x.mask].Add(1)
	}
}

// Commit settles a commit that was begun: it is visible on the primary, and on
// every replica that has replayed n. n may be later than the commit itself.
//
// That a commit's outcome is unknown is no reason to settle it. It is settled
// when it can make no difference any more: with a position asked of the new
// primary after a failover, say, since what that one does not show by then it
// never will.
func (x *Index) Commit(n N, tags []Tag) {
	for _, t := range tags {
		raise(&x.slots[t&x.mask], n)
	}
	x.Abandon(tags)
}

// Abandon settles a commit that was begun and did not happen, for certain.
func (x *Index) Abandon(tags []Tag) {
	for _, t := range tags {
		x.pending[t&x.mask].Add(-1)
	}
}

// Need is what a read of tags needs: a replica must have replayed n, and none
// will do while a change of a tag is pending. Tags that share a slot share both.
func (x *Index) Need(tags []Tag) (n N, pending bool) {
	most := max(x.base.Load(), x.every.Load())
	for _, t := range tags {
		// In this order: see above.
		pending = pending || x.isPending(t)
		most = max(most, x.slots[t&x.mask].Load())
	}
	return N(most), pending
}

// Latest is the greatest position that the index was told of, visible yet or
// not: no position that was given out lies beyond it. It takes [AllTag], which
// changes with every commit, to be among the tags of each.
func (x *Index) Latest() N {
	return N(max(x.frontier.Load(), x.slots[AllTag&x.mask].Load()))
}
