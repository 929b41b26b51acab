// Package lb is the load balancer: clients reach its address, and behind it any
// number of web servers on private addresses share the work. It knows HTTP and
// nothing of records, and works in front of any HTTP server.
//
//	client ─▶ listener ─▶ guard ─▶ http.Server ─▶ ReverseProxy ─▶ Balancer.RoundTrip ─▶ upstream
//	          PROXY       strict                   headers          choice, retries,      pool,
//	          protocol    HTTP/1                   upgrades         hedges, shedding      one exchange
//
// Connections of HTTP/1, over TLS or not, are served by the fast path first (front,
// fastConn), which passes what is plain on by itself and lends the connection to
// http.Server for any other request:
//
//	client ─▶ listener ─▶ guard ─▶ front ─▶ upstream
//	                    handshake    └─▶ lent ─▶ http.Server ─▶ … as above
//
// [New] makes a [Balancer] of a [Config], Run serves until its context ends.
// Upstreams are a fixed list or come from a [Source].
package lb
