package sqlite

import (
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/position"
)

// checkForeign looks, within the writer's transaction, whether another program
// has written to the file since the last one. If so, positions move on past
// everything that was given out, no fact from before is trusted any more, and
// the catalog is read again.
func (w *writer) checkForeign() error {
	version, _, err := w.c.queryInt("PRAGMA data_version")
	if err != nil || version == w.dataVersion {
		return err
	}
	m, err := readMeta(w.c)
	if err != nil {
		return err
	}
	published := w.s.Catalog()
	if m.catalog != published.Version {
		cat, err := loadCatalog(w.c, m.catalog)
		if err != nil {
			return err
		}
		w.s.catalogs.Add(cat)
		w.s.catalog.Store(cat)
	}
	w.csn = max(w.csn, m.csn) + 1
	w.version = max(w.version, m.catalog)
	w.s.counts.forget(w.csn)
	w.s.matches.forget(w.csn)
	if !mutant.ForeignKept {
		w.s.index.Forget(position.N(w.csn))
	}
	w.dataVersion = version
	unknown := changes.Batch{Position: position.N(w.csn), Catalog: m.catalog != published.Version, Unlisted: true}
	for _, sink := range w.s.opts.Sinks {
		sink.Publish(unknown)
	}
	return nil
}

// lookAround does the same while nothing is being written.
func (w *writer) lookAround() {
	version, _, err := w.c.queryInt("PRAGMA data_version")
	if err == nil && version == w.dataVersion {
		w.blind = false
		return
	}
	if err == nil {
		err = w.c.exec("BEGIN")
	}
	if err == nil {
		err = w.checkForeign()
		w.rollback()
	}
	if err != nil && !w.blind { // ten times a second would be too much
		w.s.log.Error("cannot see whether another program wrote", "err", err)
	}
	w.blind = err != nil
}
