// Package lb breaks what stands behind a load balancer, under load: real processes of
// `pando lb`, small web servers as processes of their own, and clients that note every
// answer. PANDO_PROVE=1 runs longer.
package lb
