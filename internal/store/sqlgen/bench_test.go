package sqlgen_test

import (
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/rule/ruletest"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlgen"
)

func BenchmarkSelect(b *testing.B) {
	script, err := ruletest.Parse(indexed+"rule posts id = id\n=>", nil)
	if err != nil {
		b.Fatal(err)
	}
	w := script.World
	scope := rule.Scope{Schema: w, Collection: w.Collection("posts")}
	for _, tc := range []struct{ rule, sort string }{
		{"", "-created"},
		{`@request.auth.id != "" && owner = @request.auth.id`, "-created"},
		{`comments_via_post.by ?= @request.auth.id && data.a = 1`, ""},
	} {
		b.Run(tc.rule+tc.sort, func(b *testing.B) {
			q := store.Query{Collection: scope.Collection, Limit: 30}
			if q.Sort, err = rule.CompileSort(tc.sort, scope); err != nil {
				b.Fatal(err)
			}
			if tc.rule != "" {
				r, err := rule.Compile(tc.rule, scope)
				if err != nil {
					b.Fatal(err)
				}
				q.Where = []store.Condition{{Rule: r, Request: &pando.Request{Auth: w.Records[0]}, Now: noon}}
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := sqlgen.Select(sqlgen.SQLite, q, noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
