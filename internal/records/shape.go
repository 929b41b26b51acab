package records

import (
	"slices"
	"strings"
	"sync"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/wire"
)

// maxShapes bounds how many query shapes a collection keeps. Clients choose
// them, so beyond that all are forgotten: a filter that is asked often is back
// at once. What is kept grows with the texts, so long ones are not kept at all.
const (
	maxShapes     = 512
	maxShapeBytes = 256 << 10 // of texts, together
	maxShapeText  = 4 << 10   // of one
)

// shape is all that can be known of a read before any data is read: what the
// client's texts mean in this collection, and what of the request the answer
// hangs on. It holds for every caller of one class. It is immutable.
type shape struct {
	badText, badFields, badRule error // what cannot be understood, for everybody

	rule   *rule.Rule
	filter *rule.Rule
	sort   []rule.SortKey
	expand []expandPath
	fields *wire.Picker

	inputs   []string // as rule.Rule.Inputs
	viewer   []string // auth collections whose records are shown: each shows its owner more
	manage   bool     // whether there is a caller at all matters
	volatile bool     // the answer can change without a write
}

// texts is what a client sends to shape a read.
type texts struct {
	list                         bool // else a view
	superuser                    bool
	sort, filter, expand, fields string
}

// shapes keeps the shapes of one collection by their text.
type shapes struct {
	mu    sync.RWMutex
	m     map[string]*shape
	bytes int // of the keys
}

func (x *shapes) init() { x.m = map[string]*shape{} }

// get finds a shape by its key, without keeping the key.
func (x *shapes) get(key []byte) *shape {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.m[string(key)]
}

func (x *shapes) put(key []byte, sh *shape) {
	if len(key) > maxShapeText {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.m) >= maxShapes || x.bytes+len(key) > maxShapeBytes {
		clear(x.m)
		x.bytes = 0
	}
	x.bytes += len(key)
	x.m[string(key)] = sh
}

// shape is the shape of a read; key is the text of t and nothing else.
func (p *plan) shape(key []byte, t *texts) *shape {
	if sh := p.shapes.get(key); sh != nil {
		return sh
	}
	sh := p.newShape(t)
	p.shapes.put(key, sh)
	return sh
}

// newShape compiles t. This is the one place that derives what an answer hangs
// on: every rule that has a say must leave its inputs here.
func (p *plan) newShape(t *texts) *shape {
	sh := &shape{}
	scope := rule.Scope{Schema: p.of.catalog, Collection: p.coll, Client: !t.superuser}
	if t.filter != "" {
		if sh.filter, sh.badText = compileFilter(t.filter, scope); sh.badText != nil {
			return sh
		}
		sh.hangOn(sh.filter)
	}
	if t.sort != "" {
		if sh.sort, sh.badText = rule.CompileSort(t.sort, scope); sh.badText != nil {
			return sh
		}
		for _, k := range sh.sort {
			sh.inputs = append(sh.inputs, k.Inputs()...)
			sh.volatile = sh.volatile || k.Volatile()
		}
	}
	if sh.fields, sh.badFields = wire.ParseFields(t.fields); sh.badFields != nil {
		return sh
	}
	if !t.superuser {
		a := &p.view
		if t.list {
			a = &p.list
		}
		if !a.open() {
			if sh.rule, sh.badRule = a.compile(); sh.badRule != nil {
				return sh
			}
			sh.hangOn(sh.rule)
		}
		sh.hangOnViewer(p)
	}
	sh.expand = parseExpand(t.expand)
	for _, path := range sh.expand {
		sh.hangOnPath(p, path, t.superuser)
	}
	slices.Sort(sh.inputs)
	sh.inputs = slices.Compact(sh.inputs)
	return sh
}

const maxFilter = 3500 // bytes of a client's filter

func compileFilter(text string, scope rule.Scope) (*rule.Rule, error) {
	if len(text) > maxFilter {
		return nil, pando.Invalid("The filter is %d bytes long; at most %d are allowed.", len(text), maxFilter)
	}
	return rule.Compile(text, scope)
}

func (sh *shape) hangOn(r *rule.Rule) {
	sh.inputs = append(sh.inputs, r.Inputs()...)
	sh.volatile = sh.volatile || r.Volatile()
}

// hangOnViewer notes what showing records of p hangs on.
func (sh *shape) hangOnViewer(p *plan) {
	if !p.coll.IsAuth() {
		return
	}
	if !slices.Contains(sh.viewer, p.coll.ID) {
		sh.viewer = append(sh.viewer, p.coll.ID)
	}
	if p.manage.closed() {
		return
	}
	if compiled, err := p.manage.compile(); err == nil {
		sh.manage = true
		sh.hangOn(compiled)
	}
}

// hangOnPath notes what the collections along an expand path hang on.
func (sh *shape) hangOnPath(p *plan, path expandPath, superuser bool) {
	if superuser {
		return
	}
	for _, segment := range path {
		l, err := p.link(segment)
		if err != nil || l.to.view.closed() {
			return
		}
		p = l.to
		if !p.view.open() {
			compiled, err := p.view.compile()
			if err != nil {
				return
			}
			sh.hangOn(compiled)
		}
		sh.hangOnViewer(p)
	}
}

// asksRequest is the error of a filter or sort in which a client that is no
// superuser wrote @request. or @collection., wherever: nil if neither.
func asksRequest(t *texts) error {
	if t.superuser {
		return nil
	}
	for _, text := range []string{t.filter, t.sort} {
		if !strings.Contains(text, "@") {
			continue
		}
		for _, name := range []string{"@request", "@collection"} {
			if strings.Contains(text, name+".") {
				return &pando.Error{Kind: pando.KindForbidden, Message: "Only superusers can filter by " + name + "."}
			}
		}
	}
	return nil
}
