// Package topology finds out which of several database servers is the primary
// and which are replicas that may be read, and keeps watching. It speaks to no
// server itself: how one is asked is given to it as a function.
//
//	       every interval, all hosts at once,                    State: primary,
//	host ──── each with a deadline of its own ───▶ judge ──────▶ replicas that may
//	host ────  Report, an error, or silence  ───▶   │            be read (one atomic
//	host ────                                ───▶   │            pointer)
//	                                                └──────────▶ Change, in words
//
// What a host says decides what it is:
//
//	primary    not in recovery, on the highest timeline that any host has named,
//	           of the right database system, its log no shorter than it was. Two
//	           that claim it are a conflict: then there is none.
//	replica    in recovery, of the same system, on the primary's timeline, or on an
//	           earlier one and not beyond the point where that one was left.
//	neither    everything else; Status says why.
//
// What it does not say is no proof of anything. A host that does not answer
// within the deadline, or cannot be reached, stays what it was but is not chosen
// (Member.Silent): a frozen host costs whoever is waiting for it (Member.Alarm)
// the deadline and not more. The deadline of a host that has lately answered late is
// longer (see patience). A primary that is silent is not replaced until
// another one is on a higher timeline: that is for those who promote to decide,
// and this package never does.
//
// A [Member] is one life of a host: as long as it is the same server process in
// the same role on the same timeline. When that ends, or another host becomes
// primary, the Member is gone for ever (Member.Gone), all connections that were
// made to it must be closed, and a new Member takes its place. So nothing that
// was learnt of one life is believed of the next, and a connection that survives
// a promotion is not used again.
package topology
