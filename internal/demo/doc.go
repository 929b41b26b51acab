// Package demo is the whole system on one machine, made of real parts that are found
// there: two load balancers, three web servers, a PostgreSQL primary with two replicas,
// three cache servers. It is what `pando demo` runs.
//
//	parts.go   starts the database, the caches, the web servers and the load balancers
//	child.go   one process of Pando's own: started, read until it is ready, stopped
//	keeper.go  looks after what was broken: what a supervisor, and Patroni, do elsewhere
//	data.go    the first records
//	load.go    a mixed load, by clients that know both load balancers
//	table.go   what people read
//
// Everything ends with the process: children are killed with it, directories are removed
// by package localcluster's watchdog.
package demo
