package records

import (
	"context"
	"errors"
	"slices"
	"sort"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/indexdef"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/wire"
)

const (
	maxExpandDepth = 6    // levels of one path; what is deeper is left out
	maxBackRows    = 1000 // records of one back relation
)

// expandPath is one dot path of an expand parameter, cut to the allowed depth.
type expandPath []string

// parseExpand reads a comma list of dot paths. Dots at their ends mean nothing.
func parseExpand(text string) []expandPath {
	if text == "" {
		return nil
	}
	var paths []expandPath
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.Trim(strings.TrimSpace(item), "."); item != "" {
			path := strings.Split(item, ".")
			paths = append(paths, path[:min(len(path), maxExpandDepth)])
		}
	}
	return paths
}

// link is what one segment of an expand path means in a collection.
type link struct {
	to    *plan
	field *pando.Field // the relation field: of the collection itself, or, if back is set, of to
	back  bool
	many  bool // shown as an array
}

// errUnlinked is a path that leads nowhere, or where the caller may not look.
// Nobody is told: the path is left out of the answer.
var errUnlinked = errors.New("records: expand: no such relation")

// link finds what a segment means: a relation field, `collection_via_field`, or
// the old form of the latter, `collection(field)`. A relation field may be hidden:
// who knows its name may follow it and the view rule of what
// it leads to decides.
func (p *plan) link(segment string) (link, error) {
	if f := p.coll.Field(segment); f != nil {
		o, ok := f.Options.(*pando.RelationOptions)
		if !ok {
			return link{}, errUnlinked
		}
		to := p.of.collection(o.CollectionID)
		if to == nil {
			return link{}, errUnlinked
		}
		return link{to: to, field: f, many: f.Multiple()}, nil
	}
	name, field, ok := strings.Cut(segment, "_via_")
	if !ok {
		if name, field, ok = strings.Cut(strings.TrimSuffix(segment, ")"), "("); !ok {
			return link{}, errUnlinked
		}
	}
	to := p.of.collection(name)
	if to == nil {
		return link{}, errUnlinked
	}
	f := to.coll.Field(field)
	if f == nil {
		return link{}, errUnlinked
	}
	if o, ok := f.Options.(*pando.RelationOptions); !ok || o.CollectionID != p.coll.ID {
		return link{}, errUnlinked
	}
	return link{to: to, field: f, back: true, many: !hasUniqueIndex(to.coll, field)}, nil
}

// hasUniqueIndex tells whether a unique index stands on the field alone.
func hasUniqueIndex(c *pando.Collection, field string) bool {
	return slices.ContainsFunc(c.Indexes, func(text string) bool {
		d, err := indexdef.Parse(text)
		return err == nil && d.UniqueOn(field)
	})
}

// expand adds to nodes, records of p, what the paths lead to and the caller may
// see. A path that leads nowhere is left out as a whole; only the store can
// make it fail.
func (s *Records) expand(
	ctx context.Context, r store.Reader, req *pando.Request, p *plan, nodes []*wire.Node, paths []expandPath,
) error {
	if len(paths) == 0 || len(nodes) == 0 {
		return nil
	}
	req = req.With("expand")
	for _, path := range paths {
		err := s.follow(ctx, r, req, p, nodes, path)
		if err != nil && !errors.Is(err, errUnlinked) {
			return err
		}
	}
	return nil
}

// follow expands nodes along one path. Nothing is attached unless the rest of
// the path can be followed too.
func (s *Records) follow(
	ctx context.Context, r store.Reader, req *pando.Request, p *plan, nodes []*wire.Node, path expandPath,
) error {
	l, err := p.link(path[0])
	if err != nil {
		return err
	}
	if l.to.view.closed() && !req.IsSuperuser() {
		return errUnlinked
	}
	linked, err := s.linked(ctx, r, req, l, nodes, path[0])
	if err != nil {
		return err
	}
	if rest := path[1:]; len(rest) > 0 {
		if all := distinct(linked); len(all) > 0 {
			if err := s.follow(ctx, r, req, l.to, all, rest); err != nil {
				return err
			}
		}
	}
	for i, n := range nodes {
		attach(n, path[0], l.many, linked[i])
	}
	return nil
}

// linked finds the nodes behind a link, for each of nodes. An earlier path may
// have found them already.
func (s *Records) linked(
	ctx context.Context, r store.Reader, req *pando.Request, l link, nodes []*wire.Node, key string,
) ([][]*wire.Node, error) {
	out := make([][]*wire.Node, len(nodes))
	found := false
	for i, n := range nodes {
		for _, e := range n.Expand {
			if e.Key == key {
				out[i], found = e.Nodes, true
			}
		}
	}
	if found {
		return out, nil
	}
	if l.back {
		return out, s.linkedBack(ctx, r, req, l, nodes, out)
	}
	return out, s.linkedForward(ctx, r, req, l, nodes, out)
}

func (s *Records) linkedForward(
	ctx context.Context, r store.Reader, req *pando.Request, l link, nodes []*wire.Node, out [][]*wire.Node,
) error {
	var ids []string
	seen := map[string]bool{}
	for _, n := range nodes {
		for _, id := range n.Record.Strings(l.field.Name) {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	recs, err := r.Records(ctx, l.to.coll, ids)
	if err != nil {
		return err
	}
	ok, err := s.allowed(ctx, r, req, l.to, &l.to.view, recs)
	if err != nil {
		return ruleError(err)
	}
	visible := recs[:0:0]
	for i, rec := range recs {
		if ok[i] {
			visible = append(visible, rec)
		}
	}
	list, err := s.nodes(ctx, r, req, l.to, visible)
	if err != nil {
		return err
	}
	byID := make(map[string]*wire.Node, len(list))
	for _, n := range list {
		byID[n.Record.ID()] = n
	}
	for i, n := range nodes {
		for _, id := range n.Record.Strings(l.field.Name) {
			if to := byID[id]; to != nil {
				out[i] = append(out[i], to)
			}
		}
	}
	return nil
}

func (s *Records) linkedBack(
	ctx context.Context, r store.Reader, req *pando.Request, l link, nodes []*wire.Node, out [][]*wire.Node,
) error {
	q := store.Query{Collection: l.to.coll, Limit: maxBackRows}
	if !req.IsSuperuser() && !l.to.view.open() {
		compiled, err := l.to.view.compile()
		if err != nil {
			return ruleError(err)
		}
		q.Where = []store.Condition{{Rule: compiled, Request: req, Now: s.now()}}
	}
	byID := map[string]*wire.Node{} // one node for each record, whoever refers to it
	for i, n := range nodes {
		q.Match = []store.Match{{Field: l.field.Name, Value: n.Record.ID()}}
		page, err := r.Find(ctx, q)
		if err != nil {
			return err
		}
		list, err := s.nodes(ctx, r, req, l.to, page.Records)
		if err != nil {
			return err
		}
		for _, n := range list {
			id := n.Record.ID()
			if byID[id] == nil {
				byID[id] = n
			}
			out[i] = append(out[i], byID[id])
		}
	}
	return nil
}

// ruleError turns a rule that cannot be asked into a path that leads nowhere.
func ruleError(err error) error {
	if pando.KindOf(err) == pando.KindInvalid {
		return errUnlinked
	}
	return err
}

// distinct is every node of lists once.
func distinct(lists [][]*wire.Node) []*wire.Node {
	var all []*wire.Node
	seen := map[*wire.Node]bool{}
	for _, list := range lists {
		for _, n := range list {
			if !seen[n] {
				seen[n] = true
				all = append(all, n)
			}
		}
	}
	return all
}

// attach notes under key what n was expanded to. A node whose path was followed
// has an expand, if only an empty one.
func attach(n *wire.Node, key string, many bool, to []*wire.Node) {
	if n.Expand == nil {
		n.Expand = []wire.Expansion{}
	}
	if len(to) == 0 {
		return
	}
	i := sort.Search(len(n.Expand), func(i int) bool { return n.Expand[i].Key >= key })
	if i < len(n.Expand) && n.Expand[i].Key == key {
		return
	}
	if !many {
		to = to[:1]
	}
	n.Expand = slices.Insert(n.Expand, i, wire.Expansion{Key: key, Many: many, Nodes: to})
}
