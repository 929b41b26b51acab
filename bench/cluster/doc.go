// Package cluster holds the benchmarks of a whole cluster: three web servers on one
// PostgreSQL primary with two replicas and three cache servers, all real and all on this
// machine. They are Go benchmarks, which report figures of their own beside the time:
//
//	go test -run '^$' -bench . -benchtime 1x -count 3 ./bench/cluster
//
//	hit_test.go      a cached view, beside a handler that does nothing; readers of one key
//	commit_test.go   from the return of COMMIT to the answer
//	outside_test.go  from the return of another program's COMMIT until all show it
//	steady_test.go   reads and writes by a Zipf law; a server that comes to it
//	cold_test.go     every cache empty, behind a failover
//	stage_test.go    what they stand on
//
// The load generator (bench/internal/load) runs on the same machine and is part of what is
// measured. PostgreSQL does not sync its files here: what is asked is what Pando adds.
package cluster
