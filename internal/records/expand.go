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

	// What one answer may be expanded to, in records. Relations that lead forth
	// and back again multiply: without a bound, six levels of a thousand each
	// would be asked for by 60 characters.
	maxExpanded       = 50_000
	maxExpandedOfEach = 100 // on top, for each record that the answer is about
)

// errTooMuch is an expand that leads to more records than fit an answer.
var errTooMuch = pando.Invalid("The expand leads to too many records. Ask for fewer levels, or list the related records themselves.")

// expansion is one expand on its way.
type expansion struct {
	s    *Records
	r    store.Reader
	req  *pando.Request
	left int // records that may still be read
}

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
// make it fail, and a result beyond all measure (errTooMuch).
func (s *Records) expand(
	ctx context.Context, r store.Reader, req *pando.Request, p *plan, nodes []*wire.Node, paths []expandPath,
) error {
	if len(paths) == 0 || len(nodes) == 0 {
		return nil
	}
	most := maxExpanded + maxExpandedOfEach*len(nodes)
	x := &expansion{s: s, r: r, req: req.With("expand"), left: most}
	for _, path := range paths {
		err := x.follow(ctx, p, nodes, path)
		if err != nil && !errors.Is(err, errUnlinked) {
			return err
		}
	}
	// A record that was read once can stand in many places of the answer.
	if count(nodes, most+len(nodes)) < 0 {
		return errTooMuch
	}
	return nil
}

// count is how much of most is left after nodes and all that they are expanded
// to; below 0 it stops.
func count(nodes []*wire.Node, most int) int {
	most -= len(nodes)
	for _, n := range nodes {
		for i := range n.Expand {
			if most < 0 {
				return most
			}
			most = count(n.Expand[i].Nodes, most)
		}
	}
	return most
}

// read takes n records off what may still be read.
func (x *expansion) read(n int) error {
	if x.left -= n; x.left < 0 {
		return errTooMuch
	}
	return nil
}

// follow expands nodes along one path. Nothing is attached unless the rest of
// the path can be followed too.
func (x *expansion) follow(ctx context.Context, p *plan, nodes []*wire.Node, path expandPath) error {
	l, err := p.link(path[0])
	if err != nil {
		return err
	}
	if l.to.view.closed() && !x.req.IsSuperuser() {
		return errUnlinked
	}
	linked, err := x.linked(ctx, l, nodes, path[0])
	if err != nil {
		return err
	}
	if rest := path[1:]; len(rest) > 0 {
		if all := distinct(linked); len(all) > 0 {
			if err := x.follow(ctx, l.to, all, rest); err != nil {
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
func (x *expansion) linked(ctx context.Context, l link, nodes []*wire.Node, key string) ([][]*wire.Node, error) {
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
		return out, x.linkedBack(ctx, l, nodes, out)
	}
	return out, x.linkedForward(ctx, l, nodes, out)
}

func (x *expansion) linkedForward(ctx context.Context, l link, nodes []*wire.Node, out [][]*wire.Node) error {
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
	if err := x.read(len(ids)); err != nil {
		return err
	}
	recs, err := x.r.Records(ctx, l.to.coll, ids)
	if err != nil {
		return err
	}
	ok, err := x.s.allowed(ctx, x.r, x.req, l.to, &l.to.view, recs)
	if err != nil {
		return ruleError(err)
	}
	visible := recs[:0:0]
	for i, rec := range recs {
		if ok[i] {
			visible = append(visible, rec)
		}
	}
	list, err := x.s.nodes(ctx, x.r, x.req, l.to, visible)
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

func (x *expansion) linkedBack(ctx context.Context, l link, nodes []*wire.Node, out [][]*wire.Node) error {
	q := store.Query{Collection: l.to.coll, Limit: maxBackRows}
	if !x.req.IsSuperuser() && !l.to.view.open() {
		compiled, err := l.to.view.compile()
		if err != nil {
			return ruleError(err)
		}
		q.Where = []store.Condition{{Rule: compiled, Request: x.req, Now: x.s.now()}}
	}
	byID := map[string]*wire.Node{} // one node for each record, whoever refers to it
	for i, n := range nodes {
		q.Match = []store.Match{{Field: l.field.Name, Value: n.Record.ID()}}
		page, err := x.r.Find(ctx, q)
		if err != nil {
			return err
		}
		// Finding nothing is work, too.
		if err := x.read(max(1, len(page.Records))); err != nil {
			return err
		}
		list, err := x.s.nodes(ctx, x.r, x.req, l.to, page.Records)
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
