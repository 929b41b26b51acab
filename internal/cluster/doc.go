// Package cluster makes one system of the web servers that share a database: who
// is a member, who reads the database's log for all, and what each may believe.
// Why it is so stands in docs/adr/0008.
//
// # What it is for
//
// A server judges what it has cached by its [position.Index]: the last change of
// everything, as far as it knows of the log of commits (F). That is worth nothing
// without an answer to two questions, which this package gives:
//
//   - Lease: may this server take what it knows for the newest? It may until a time
//     on its own clock, if at some moment less than L before that it sent a word to
//     the tailer, and then has come to know all that the primary had on disk when the
//     word arrived.
//   - S: what does everybody know? S is the least F of the members that may have a
//     lease, and no more than the primary shows. What was read or written at n is
//     answered once S has reached n; from then on no server with a lease can answer
//     with less.
//
// # Who does what
//
//	          registry (rows)            log
//	            ▲   ▲                     │
//	   beat, look   │ renew, probe, view  ▼
//	┌───────────────┼────────────── tail ─┐
//	│ Node        reign (the tailer)      │        every other Node
//	│               ▲ │ SNAPSHOT, BATCH   │      ┌────────────────┐
//	│          ACK  │ ▼          ─────────┼─────▶│ session        │
//	│             session (by a pipe)     │◀─────│   ACK          │
//	│               │                     │      │   ▼            │
//	│        Index, Apply, Deliver        │      │ Index, …       │
//	└─────────────────────────────────────┘      └────────────────┘
//
// Every server is a [Node], and every node follows the tailer by a session (follow.go,
// session.go, apply.go), that of the tailer itself too. The tailer's side is a reign
// (reign.go; stream.go is what it knows of the log, peer.go what it knows of the
// members, probe.go how leases begin). The tailer chooses a member to stand by, which
// reads the log as well (standby.go), so that it can go on without a gap.
//
// # A member's life
//
//	          row written           HELLO            SNAPSHOT, ACK reaches S
//	start ──────────────▶ looking ─────────▶ joining ───────────────────────▶ counted
//	                         ▲  ▲                ▲                              │ │
//	     the row stands still│  │ gap, cut off,  │ L + margin after the last    │ │
//	     or nobody is there: │  │ another tailer │ echo, if it is late          │ │
//	     takes the term ─────┘  └────────────────┴──────────────────────────────┘ │
//	                                                            LEAVE, on stop ◀──┘
//
// Why two tailers at once do no harm is told at reign. The members talk over TLS with
// certificates that are made of a secret (secret.go, certificate.go, transport.go).
package cluster
