package records

import (
	"context"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
)

// allowed tells which of recs, records of p, satisfy a for req. Rules that read
// nothing else are evaluated in memory; others ask r. A rule that does not
// compile is an error.
func (s *Records) allowed(
	ctx context.Context, r store.Reader, req *pando.Request, p *plan, a *access, recs []*pando.Record,
) ([]bool, error) {
	out := make([]bool, len(recs))
	switch {
	case req.IsSuperuser() || a.open():
		for i := range out {
			out[i] = true
		}
		return out, nil
	case a.closed() || len(recs) == 0:
		return out, nil
	}
	compiled, err := a.compile()
	if err != nil {
		return nil, err
	}
	for i, rec := range recs {
		if out[i], err = s.matches(ctx, r, req, compiled, rec); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// matches asks one compiled rule about one stored record.
func (s *Records) matches(
	ctx context.Context, r store.Reader, req *pando.Request, compiled *rule.Rule, rec *pando.Record,
) (bool, error) {
	return store.Condition{Rule: compiled, Request: req, Now: s.now()}.Holds(ctx, r, rec)
}

// matchesVirtual asks the create rule about a record that is not there yet.
func (s *Records) matchesVirtual(
	ctx context.Context, r store.Reader, req *pando.Request, p *plan, compiled *rule.Rule, rec *pando.Record,
) (bool, error) {
	now := s.now()
	if compiled.Local() {
		return compiled.Match(ctx, rule.Env{Request: req, Now: now}, rec)
	}
	page, err := r.Find(ctx, store.Query{
		Collection: p.coll,
		Where:      []store.Condition{{Rule: compiled, Request: req, Now: now}},
		Limit:      1,
		IDsOnly:    true,
		Virtual:    rec,
	})
	return len(page.Records) > 0, err
}

// manages tells whether req's caller may manage rec, a record of an auth
// collection, for somebody else. stored is false for a record that is not there
// yet. Guests manage nothing; a rule that does not compile lets nobody.
func (s *Records) manages(
	ctx context.Context, r store.Reader, req *pando.Request, p *plan, rec *pando.Record, stored bool,
) (bool, error) {
	if req.IsSuperuser() {
		return true, nil
	}
	if req.Auth == nil || p.manage.closed() {
		return false, nil
	}
	compiled, err := p.manage.compile()
	if err != nil {
		return false, nil
	}
	if stored {
		return s.matches(ctx, r, req, compiled, rec)
	}
	return s.matchesVirtual(ctx, r, req, p, compiled, rec)
}
