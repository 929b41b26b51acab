package cluster

import (
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/registry"
)

// What the cluster is made of lies in contracts below it, so that adapters can
// keep them: store/postgres the registry, changes/wal the log.
type (
	Registry = registry.Registry
	Member   = registry.Member
	Tailer   = registry.Tailer
	Probe    = registry.Probe
	Visible  = registry.Visible

	Log       = changes.Log
	LogReader = changes.LogReader
	Chunk     = changes.Chunk
)
