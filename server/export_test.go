package server

import (
	"log/slog"

	"github.com/pandobase/pando/internal/certs"
	"github.com/pandobase/pando/internal/lb"
)

// SourceOf is where a balancer with this configuration finds its upstreams.
func SourceOf(cfg BalancerConfig, log *slog.Logger) (lb.Source, error) { return cfg.source(log) }

// CloseDoor makes a member unreachable for the others.
func CloseDoor(s *Server) error { return s.door().Close() }

// SharedBy is where a balancer keeps certificates; every call is another process's view.
func SharedBy(b *Balancer) (*certs.SharedStorage, error) {
	return certs.Shared(remoteRows{b.cluster}, b.cluster.secret.Keys("certificates", certs.KeySize))
}
