package records

import (
	"context"
	"errors"
	"math"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/wire"
)

const (
	defaultPerPage = 30
	maxPerPage     = 1000
)

// List answers with one page of the records that the list rule and the filter
// leave. It fails with KindNotFound for an unknown collection, KindForbidden if
// the rule is closed or a client filters by what is for superusers only,
// KindInvalid for a filter, sort or fields text that makes no sense.
func (s *Records) List(
	ctx context.Context, req *pando.Request, collection string, q pando.ListQuery,
) (pando.Answer, error) {
	var a *answer
	var p *plan
	err := s.withCatalog(func(ps *plans) error {
		if p = ps.collection(collection); p == nil {
			return noCollection()
		}
		var err error
		a, err = s.list(ctx, req, p, q)
		return err
	})
	if err != nil {
		return nil, err
	}
	if a.empty && q.Filter != "" && !req.IsSuperuser() && !p.list.open() {
		if err := s.slowDown(ctx, p.coll.ID, req.RealIP); err != nil {
			return nil, err
		}
	}
	return a.body, nil
}

func (s *Records) list(ctx context.Context, req *pando.Request, p *plan, q pando.ListQuery) (*answer, error) {
	superuser := req.IsSuperuser()
	if !superuser && p.list.closed() {
		return nil, superusersOnly()
	}
	t := texts{
		list: true, superuser: superuser, sort: q.Sort, filter: q.Filter, expand: q.Expand, fields: q.Fields,
	}
	if err := asksRequest(&t); err != nil {
		return nil, err
	}
	if q.Page <= 0 {
		q.Page = 1
	}
	if q.PerPage <= 0 {
		q.PerPage = defaultPerPage
	}
	q.PerPage = min(q.PerPage, maxPerPage)

	k := newKey()
	defer k.release()
	k.texts(&t)
	sh := p.shape(k.b, &t)
	switch {
	case sh.badText != nil:
		return nil, badQuery(sh.badText)
	case sh.badRule != nil:
		return nil, badQuery(sh.badRule)
	case sh.badFields != nil:
		return nil, sh.badFields
	}
	k.number(int(p.of.catalog.Version))
	k.text(p.coll.ID)
	if !mutant.KeyWithoutPage {
		k.number(q.Page)
	}
	k.number(q.PerPage)
	k.bool(q.SkipTotal)
	keyed := k.request(sh, req)
	if len(sh.expand) == 0 && !p.coll.IsAuth() {
		ctx = store.One(ctx)
	}
	a, err := s.read(ctx, p.of, k, keyed, sh, func(ctx context.Context, r store.Reader) (*answer, error) {
		return s.fillList(ctx, r, req, p, sh, &q)
	})
	if err != nil && pando.KindOf(err) == pando.KindInvalid && !errors.Is(err, errTooMuch) {
		return nil, badQuery(err)
	}
	return a, err
}

// badQuery is the answer to a filter or sort that cannot be understood. What
// exactly is wrong is logged, not told: the words could describe fields that the
// client may not know of.
func badQuery(err error) error {
	return &pando.Error{Kind: pando.KindInvalid, Err: err, Message: "Something went wrong while processing your request."}
}

// fillList makes the page from a snapshot.
func (s *Records) fillList(
	ctx context.Context, r store.Reader, req *pando.Request, p *plan, sh *shape, q *pando.ListQuery,
) (*answer, error) {
	find := store.Query{Collection: p.coll, Sort: sh.sort, Request: req, Limit: q.PerPage, Total: !q.SkipTotal}
	now := s.now()
	if sh.rule != nil {
		find.Where = append(find.Where, store.Condition{Rule: sh.rule, Request: req, Now: now})
	}
	if sh.filter != nil {
		find.Where = append(find.Where, store.Condition{Rule: sh.filter, Request: req, Now: now})
	}
	find.Offset = math.MaxInt64 // a page beyond all counting is beyond the end
	if q.Page-1 <= math.MaxInt64/q.PerPage {
		find.Offset = (q.Page - 1) * q.PerPage
	}
	page, err := r.Find(ctx, find)
	if err != nil {
		return nil, err
	}
	nodes, err := s.nodes(ctx, r, req, p, page.Records)
	if err != nil {
		return nil, err
	}
	if err := s.expand(ctx, r, req, p, nodes, sh.expand); err != nil {
		return nil, err
	}
	body := wire.OpenList(make([]byte, 0, 256+600*len(nodes)))
	for i, n := range nodes {
		if i > 0 {
			body = append(body, ',')
		}
		body = n.Append(body)
	}
	total := -1
	if !q.SkipTotal {
		total = page.Total
	}
	body = wire.CloseList(body, q.Page, q.PerPage, total)
	if body, err = sh.fields.Pick(body); err != nil {
		return nil, err
	}
	return &answer{body: fit(body), empty: len(nodes) == 0}, nil
}

// fit gives back the spare room of a body that may be kept for long.
func fit(body []byte) []byte {
	if cap(body)-len(body) > len(body)/4 {
		return append(make([]byte, 0, len(body)), body...)
	}
	return body
}
