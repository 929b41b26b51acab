// Package overload decides what becomes of requests when there are more than can be
// answered: how many are worked on at once ([Limiter]), which of the others wait, and
// for how long ([Queue]), and whose turn comes first ([Class]). The load balancer has a
// limiter for each of its upstreams, the web server one for reads and one for writes.
package overload
