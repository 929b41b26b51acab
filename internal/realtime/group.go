package realtime

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/wire"
)

// member is a subscription that a change may concern, with the identity that
// its connection has just now.
type member struct {
	sub    *subscription
	auth   *pando.Record
	leaves bool // its connection is nobody's behind the batch
	one    bool // it asks for this record, not for the collection: the view rule counts
}

// audience lists the subscriptions to the topics of a record.
func (s *Realtime) audience(rec *pando.Record) []member {
	c, id := rec.Collection, rec.ID()
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []member
	for i, ref := range [2]string{c.ID, c.Name} {
		if i == 1 && c.Name == c.ID {
			break
		}
		for j, topic := range [3]string{ref + "/*", ref, ref + "/" + id} {
			for sub := range s.topics[topic] {
				list = append(list, member{sub, sub.client.who(), sub.client.leaves, j == 2})
			}
		}
	}
	return list
}

// Watches tells whether somebody is subscribed to c or one of its records.
func (s *Realtime) Watches(c *pando.Collection) bool {
	if s.connected.Load() == 0 {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for topic := range s.topics {
		ref, _, _ := strings.Cut(topic, "/")
		if ref == c.ID || ref == c.Name {
			return true
		}
	}
	return false
}

// answers judges one change for its audience, each group once.
type answers struct {
	s       *Realtime
	r       store.Reader
	action  changes.Action
	rec     *pando.Record // in the shape that the reader's catalog knows
	coll    *pando.Collection
	manage  *rule.Rule // who sees e-mail addresses; nil if there is no such rule
	now     time.Time
	byGroup map[group][]byte // nil: no event
	key     []byte
}

// group is what an answer hangs on besides the change itself.
type group struct {
	inputs string
	auth   *pando.Record // where all of it may count
}

func (s *Realtime) answersFor(r store.Reader, action changes.Action, rec *pando.Record, now time.Time) *answers {
	coll := r.Catalog().Collection(rec.Collection.ID)
	if coll == nil || coll.ID != rec.Collection.ID {
		return nil
	}
	a := &answers{
		s: s, r: r, action: action, rec: reshape(rec, coll), coll: coll, now: now, byGroup: map[group][]byte{},
	}
	if coll.Auth != nil && coll.Auth.ManageRule != nil {
		a.manage, _ = r.Catalog().Rule(coll, *coll.Auth.ManageRule) // one that is broken lets nobody manage
	}
	return a
}

// judged is a member with the rules that decide about it.
type judged struct {
	member
	req    *pando.Request
	su     bool
	access *rule.Rule // nil: open
	filter *rule.Rule // nil: none
}

// judge finds the rules for a member; false if it may not get anything.
func (a *answers) judge(m member) (judged, bool) {
	req := m.sub.request
	req.Auth = m.auth
	j := judged{member: m, req: &req, su: m.auth.IsSuperuser()}
	if !j.su {
		text := a.coll.ListRule
		if m.one {
			text = a.coll.ViewRule
		}
		if text == nil {
			return j, false
		}
		if *text != "" {
			var err error
			if j.access, err = a.r.Catalog().Rule(a.coll, *text); err != nil {
				return j, false
			}
		}
	}
	if m.sub.filter != "" {
		var err error
		if j.filter, err = a.s.filters.compile(a.r.Catalog(), a.coll, !j.su, m.sub.filter); err != nil {
			return j, false
		}
	}
	return j, true
}

// needsRow tells whether the answer hangs on more than the record itself, so
// that it cannot be given once the record is gone.
func (a *answers) needsRow(j *judged) bool {
	return j.sub.expand != "" || a.manage != nil || j.needsOthers()
}

// needsOthers tells whether other records decide if there is an answer. If they only
// decide what it shows, it shows less once the record is gone, and never more.
func (j *judged) needsOthers() bool {
	return j.access != nil && !j.access.Local() || j.filter != nil && !j.filter.Local()
}

// whole is whoever the answer to j hangs on, whatever of them: the rules of what is
// expanded may read anything.
func (j *judged) whole() *pando.Record {
	if j.sub.expand == "" {
		return nil
	}
	return j.auth
}

// inputs is the text of everything else that the answer hangs on besides the change.
func (a *answers) inputs(j *judged) []byte {
	k := a.key[:0]
	k = strconv.AppendBool(k, j.one)
	k = strconv.AppendBool(k, j.su)
	own := !j.su && j.auth != nil && a.coll.IsAuth() && identityOf(j.auth) == identityOf(a.rec)
	k = strconv.AppendBool(k, own)
	k = strconv.AppendInt(k, int64(len(j.sub.options)), 10)
	k = append(append(k, ':'), j.sub.options...)
	if j.access != nil {
		k = j.access.AppendInputs(k, j.req)
	}
	k = append(k, 0)
	if j.filter != nil {
		k = j.filter.AppendInputs(k, j.req)
	}
	k = append(k, 0)
	if a.manage != nil && !j.su {
		k = strconv.AppendBool(k, j.auth == nil) // guests manage nothing
		k = a.manage.AppendInputs(k, j.req)
	}
	a.key = k
	return k
}

// answer is the event's data for j, nil if j gets none.
func (a *answers) answer(ctx context.Context, j *judged) ([]byte, error) {
	inputs, auth := a.inputs(j), j.whole()
	if data, ok := a.byGroup[group{string(inputs), auth}]; ok {
		return data, nil
	}
	data, err := a.make(ctx, j)
	if err != nil {
		return nil, err
	}
	a.byGroup[group{string(inputs), auth}] = data
	return data, nil
}

func (a *answers) make(ctx context.Context, j *judged) ([]byte, error) {
	for _, r := range []*rule.Rule{j.access, j.filter} {
		if r == nil {
			continue
		}
		ok, err := store.Condition{Rule: r, Request: j.req, Now: a.now}.Holds(ctx, a.r, a.rec)
		if err != nil || !ok {
			return nil, err
		}
	}
	record, err := a.s.encode(ctx, a.r, j.req, a.rec, j.sub.expand)
	if err != nil {
		return nil, err
	}
	if record, err = j.sub.fields.Pick(record); err != nil {
		return nil, err
	}
	data := make([]byte, 0, len(record)+32)
	data = append(append(data, `{"record":`...), record...)
	data = wire.AppendString(append(data, `,"action":`...), string(a.action))
	return append(data, '}'), nil
}

// reshape is rec as a record of c, the same collection at another version:
// values follow their fields by id, as they do in the table.
func reshape(rec *pando.Record, c *pando.Collection) *pando.Record {
	if rec.Collection == c {
		return rec
	}
	out := pando.NewRecord(c)
	for i, f := range c.Fields {
		for k, old := range rec.Collection.Fields {
			if old.ID == f.ID && old.Type == f.Type && old.Multiple() == f.Multiple() {
				out.Values[i] = rec.Values[k]
			}
		}
	}
	return out
}

// What is kept of compiled filters of clients. One takes many times the length of
// its text.
const (
	maxFilters     = 1000
	maxFilterTexts = 256 << 10 // bytes, together
)

// filters keeps the compiled filters of clients, for one version of the catalog.
type filters struct {
	mu      sync.Mutex
	version uint64
	m       map[filterKey]filterVerdict
	texts   int // bytes in the keys of m
}

type filterKey struct {
	collectionID string
	client       bool
	text         string
}

type filterVerdict struct {
	rule *rule.Rule
	err  error
}

func (f *filters) compile(catalog *store.Catalog, c *pando.Collection, client bool, text string) (*rule.Rule, error) {
	key := filterKey{c.ID, client, text}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.version != catalog.Version || len(f.m) >= maxFilters || f.texts > maxFilterTexts {
		f.version, f.m, f.texts = catalog.Version, map[filterKey]filterVerdict{}, 0
	}
	v, ok := f.m[key]
	if !ok {
		v.rule, v.err = rule.Compile(text, rule.Scope{Schema: catalog, Collection: c, Client: client})
		f.m[key] = v
		f.texts += len(text)
	}
	return v.rule, v.err
}
