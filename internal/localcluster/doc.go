// Package localcluster starts real servers on this machine: PostgreSQL, its
// replicas, etcd with Patroni, PgBouncer, Redis, S3, and relays in front of them. Tests
// break them in every way that a network of machines can break, and a demo shows
// them. Each server listens on a free loopback port and lives in a directory
// below one temporary home of this process:
//
//	pando-cluster-123456/     home: one per process (a second in memory), deleted when it ends
//	├── n001/                 a node: postgresql.conf, pg_hba.conf, log, socket
//	│   └── data/             its data directory
//	└── n002/ …
//
// # What belongs to a node
//
// A server is many processes: backends call setsid, Patroni starts its
// PostgreSQL detached, a killed parent leaves its children to somebody else. No
// process group and no parent holds them all, so a node knows its processes by
// their command lines: all of them name the node, either by the path of its
// directory or by the cluster_name that PostgreSQL writes into the titles of its
// processes; their descendants are added (processes_linux.go). Command lines are
// readable to everybody, other than working directories and environments.
//
// # What is left behind
//
// Nothing. A watchdog (home.go) outlives this process for a moment, however it
// ended, kills what belongs to the home, frozen or detached as it may be, and
// deletes the directory. It is a shell that reads from a pipe which only this
// process holds open. A parent-death signal would not do: it reaches only direct
// children, and is sent when the thread that started them ends.
//
// # Root
//
// PostgreSQL refuses to run as root. Started by root, servers run as the user
// postgres, or nobody; started by anybody else, as that user.
package localcluster
