// Package load is the load generator of the benchmarks.
//
// It shares the machine with the server that it measures, so its first duty
// is to cost little: one thread, one epoll set, requests that are appended
// from ready-made pieces, a response reader that allocates nothing. It is
// strict all the same: every answer is parsed to its last byte, its status is
// compared with the expected one and, where the script says so, its body must
// contain a given text. An answer that fails any of that is an error, and a
// measurement with an error is void.
//
// Two ways to drive a server:
//
//   - closed loop ([Options.Rate] zero): every connection sends its next
//     request as soon as the last one is answered. This gives throughput. Its
//     latencies are those of a saturated server and hide stalls, because a
//     stalled connection asks nothing.
//   - open loop ([Options.Rate] set): requests are due at fixed times, and a
//     latency counts from the time at which the request was due, not from the
//     time at which a connection was free to send it. This gives the
//     percentiles that users would see.
package load
