// Package cluster holds the schedules that break weaker designs, one by one, on real
// servers: three of Pando, a primary with two replicas, three cache servers. They are
// numbered as in the design of the data path, each with its faults: relays that are cut,
// processes that are frozen, killed and thawed (target.StartCluster).
//
// A request may be refused (503) or fail while something is broken; what is answered
// must not be old. Answers that say how old they may be (Age) are left out.
package cluster
