// Package faults holds tests that try to break a real Pando process: bad input
// of every kind, disks that fill up, kills, slow clients, floods of logins, a
// limit on memory. Each test starts a server of its own and talks to it as any
// client would. There is nothing in the package but its tests.
//
// The long forms run with PANDO_PROVE=1. What mostly waits runs at once with others
// of its kind, when the rest is through.
package faults
