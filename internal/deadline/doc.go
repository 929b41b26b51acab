// Package deadline makes connections on which it costs next to nothing to set a
// deadline, and whose deadlines are kept to the second.
//
// net/http sets seven deadlines for each request on a kept-alive connection, all of
// them minutes away, and each goes to the runtime's timers. Here a deadline is a number
// beside the connection, and a sweep looks at all of them twice a second: a connection
// whose time is over gets a deadline of the ordinary kind, in the past, which wakes up
// whoever reads or writes. One that is in the past already, by which net/http calls its
// own background read back, takes effect at once.
package deadline
