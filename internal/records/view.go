package records

import (
	"context"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// View answers with one record. It fails with KindNotFound if there is none, or
// none that the view rule lets the caller see, KindForbidden if that is closed.
func (s *Records) View(
	ctx context.Context, req *pando.Request, collection, id string, pr pando.Projection,
) (pando.Answer, error) {
	var a *answer
	err := s.withCatalog(func(ps *plans) error {
		p := ps.collection(collection)
		if p == nil {
			return noCollection()
		}
		var err error
		a, err = s.viewOne(ctx, req, p, id, pr)
		return err
	})
	if err != nil {
		return nil, err
	}
	if a.err != nil {
		return nil, a.err
	}
	return a.body, nil
}

func (s *Records) viewOne(
	ctx context.Context, req *pando.Request, p *plan, id string, pr pando.Projection,
) (*answer, error) {
	superuser := req.IsSuperuser()
	if !superuser && p.view.closed() {
		return nil, superusersOnly()
	}
	t := texts{superuser: superuser, expand: pr.Expand, fields: pr.Fields}
	k := newKey()
	defer k.release()
	k.texts(&t)
	sh := p.shape(k.b, &t)
	switch {
	case sh.badRule != nil:
		return nil, notFound(sh.badRule)
	case sh.badFields != nil:
		return nil, sh.badFields
	}
	k.number(int(p.of.catalog.Version))
	k.text(p.coll.ID)
	k.text(id)
	keyed := k.request(sh, req)
	if len(sh.expand) == 0 && (sh.rule == nil || sh.rule.Local()) {
		ctx = store.One(ctx)
	}
	return s.read(ctx, p.of, k, keyed, sh, func(ctx context.Context, r store.Reader) (*answer, error) {
		a, err := s.fillView(ctx, r, req, p, sh, id)
		if err != nil {
			return verdict(err)
		}
		return a, nil
	})
}

// fillView makes the answer from a snapshot.
func (s *Records) fillView(
	ctx context.Context, r store.Reader, req *pando.Request, p *plan, sh *shape, id string,
) (*answer, error) {
	rec, err := record(ctx, r, p.coll, id)
	if err != nil {
		return nil, err
	}
	if sh.rule != nil {
		ok, err := s.matches(ctx, r, req, sh.rule, rec)
		if unable(err) {
			return nil, err
		}
		if err != nil || !ok {
			return nil, notFound(err)
		}
	}
	body, err := s.encode(ctx, r, req, p, rec, sh.expand)
	if err != nil {
		return nil, err
	}
	if body, err = sh.fields.Pick(body); err != nil {
		return nil, err
	}
	return &answer{body: fit(body)}, nil
}

// record finds one record; that there is none is said in the API's words.
func record(ctx context.Context, r store.Reader, c *pando.Collection, id string) (*pando.Record, error) {
	rec, err := r.Record(ctx, c, id)
	if isNotFound(err) {
		return nil, notFound(err)
	}
	return rec, err
}
