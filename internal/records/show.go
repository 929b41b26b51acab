package records

import (
	"context"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/wire"
)

// show says what of rec, a record of p, req's caller sees.
func (s *Records) show(
	ctx context.Context, r store.Reader, req *pando.Request, p *plan, rec *pando.Record,
) (wire.Show, error) {
	switch {
	case req.IsSuperuser():
		return wire.Show{Hidden: true, Email: true}, nil
	case !p.coll.IsAuth() || req.Auth == nil || rec.Bool("emailVisibility"):
		return wire.Show{}, nil
	case isSame(req.Auth, rec):
		return wire.Show{Email: true}, nil
	}
	manages, err := s.manages(ctx, r, req, p, rec, true)
	return wire.Show{Email: manages}, err
}

// isSame tells whether a and b are one record. Their collections may come from
// different catalogs.
func isSame(a, b *pando.Record) bool {
	return a != nil && a.Collection.ID == b.Collection.ID && a.ID() == b.ID()
}

// nodes prepares recs, records of p, for being written.
func (s *Records) nodes(
	ctx context.Context, r store.Reader, req *pando.Request, p *plan, recs []*pando.Record,
) ([]*wire.Node, error) {
	list := make([]wire.Node, len(recs))
	out := make([]*wire.Node, len(recs))
	for i, rec := range recs {
		shown, err := s.show(ctx, r, req, p, rec)
		if err != nil {
			return nil, err
		}
		list[i] = wire.Node{Plan: p.wire, Record: rec, Show: shown}
		if rec.Collection != p.coll { // a record of before the collection was changed
			list[i].Plan = wire.NewPlan(rec.Collection)
		}
		out[i] = &list[i]
	}
	return out, nil
}

// Encode is rec as req's caller sees it, with what expand names, as JSON. What
// else it reads comes from r; rec itself may be older or newer than that.
// Whether the caller may see the record at all has been decided before. It fails
// with KindNotFound if the collection is gone.
func (s *Records) Encode(
	ctx context.Context, r store.Reader, req *pando.Request, rec *pando.Record, expand string,
) ([]byte, error) {
	p := s.plansOf(r.Catalog()).collection(rec.Collection.ID)
	if p == nil {
		return nil, noCollection()
	}
	return s.encode(ctx, r, req, p, rec, parseExpand(expand))
}

func (s *Records) encode(
	ctx context.Context, r store.Reader, req *pando.Request, p *plan, rec *pando.Record, expand []expandPath,
) ([]byte, error) {
	nodes, err := s.nodes(ctx, r, req, p, []*pando.Record{rec})
	if err != nil {
		return nil, err
	}
	if err := s.expand(ctx, r, req, p, nodes, expand); err != nil {
		return nil, err
	}
	return nodes[0].Append(make([]byte, 0, 1024)), nil
}
