// Package members starts web servers that only load balancers reach, and load
// balancers that find them: who joins, who leaves, who may ask, and what becomes of
// those who are connected meanwhile.
package members
