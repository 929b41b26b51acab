package store

import (
	"context"
	"sync"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
)

// Rule compiles a rule that a superuser wrote for c, a collection of this
// catalog, or finds it compiled. It fails if the rule does not fit the
// collections as they are now.
func (c *Catalog) Rule(col *pando.Collection, text string) (*rule.Rule, error) {
	return c.rules.get(ruleKey{col.ID, text}, func() (*rule.Rule, error) {
		return rule.Compile(text, rule.Scope{Schema: c, Collection: col})
	})
}

// compiled keeps the rules of one catalog. There are at most as many as the
// collections have, since nothing that a client sends gets here.
type compiled struct{ m sync.Map } // ruleKey → verdict

type ruleKey struct{ collectionID, text string }

type verdict struct {
	rule *rule.Rule
	err  error
}

func (c *compiled) get(k ruleKey, compile func() (*rule.Rule, error)) (*rule.Rule, error) {
	if v, ok := c.m.Load(k); ok {
		v := v.(verdict)
		return v.rule, v.err
	}
	r, err := compile()
	v, _ := c.m.LoadOrStore(k, verdict{r, err})
	return v.(verdict).rule, v.(verdict).err
}

// Holds tells whether a stored record meets the condition: in memory if the
// rule reads nothing but the record and the request, else by a query.
func (c Condition) Holds(ctx context.Context, r Reader, rec *pando.Record) (bool, error) {
	if c.Rule.Local() {
		now := c.Now
		if now.IsZero() {
			now = time.Now()
		}
		return c.Rule.Match(ctx, rule.Env{Request: c.Request, Stored: rec, Now: now}, rec)
	}
	page, err := r.Find(ctx, Query{
		Collection: rec.Collection,
		Match:      []Match{{Field: "id", Value: rec.ID()}},
		Where:      []Condition{c},
		Limit:      1,
		IDsOnly:    true,
	})
	return len(page.Records) > 0, err
}
