package cluster

import (
	"github.com/pandobase/pando/internal/changes"
	rows "github.com/pandobase/pando/internal/registry"
)

// What the cluster is made of lies in contracts below it, so that adapters can
// keep them: store/postgres the registry, changes/wal the log.
type (
	Registry = rows.Registry
	Member   = rows.Member
	Tailer   = rows.Tailer
	Probe    = rows.Probe
	Visible  = rows.Visible

	Log       = changes.Log
	LogReader = changes.LogReader
	Chunk     = changes.Chunk
)
