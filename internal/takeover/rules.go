package takeover

import (
	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
)

// closeBadRules compiles every rule before anything is written. One that does
// not compile is closed, so that only superusers pass until somebody has mended
// it: a rule that nobody understands must not let anyone in.
func (t *Takeover) closeBadRules(collections []*pando.Collection) {
	schema := store.NewCatalog(0, nil, collections)
	for _, c := range collections {
		rules := map[string]**string{
			"listRule": &c.ListRule, "viewRule": &c.ViewRule, "createRule": &c.CreateRule,
			"updateRule": &c.UpdateRule, "deleteRule": &c.DeleteRule,
		}
		if c.Auth != nil {
			rules["authRule"], rules["manageRule"] = &c.Auth.AuthRule, &c.Auth.ManageRule
		}
		for name, r := range rules {
			if *r == nil || **r == "" {
				continue
			}
			if _, err := rule.Compile(**r, rule.Scope{Schema: schema, Collection: c}); err != nil {
				t.notTaken("%s of collection %s: it does not compile (%v). It is closed to all but superusers; mend it: %s", name, c.Name, err, **r)
				*r = nil
			}
		}
	}
}
