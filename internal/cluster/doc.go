// Package cluster makes one system of the web servers that share a database: who
// is a member, who reads the database's log for all, and what each may believe.
// The protocol is data-path.md, section 7a.
package cluster
