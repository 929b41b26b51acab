package auth_test

import (
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/auth"
	"github.com/pandobase/pando/internal/servicetest"
)

// A verified token is looked up, not verified again: nanoseconds, without an
// allocation.
func BenchmarkIdentify(b *testing.B) {
	e := servicetest.New(b)
	a := auth.New(auth.Config{Store: e.Store, Facts: e.Facts, Encode: servicetest.Encode})
	root := e.Insert(b, pando.SuperusersName, map[string]any{"email": "root@b.co"})
	ada := e.Insert(b, "users", map[string]any{"email": "ada@b.co"})
	req := &pando.Request{Auth: root}
	token, err := tokenOf(b, a, req, ada)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if rec, err := a.Identify(b.Context(), token); rec == nil || err != nil {
			b.Fatal(rec, err)
		}
	}
}

func tokenOf(b *testing.B, a *auth.Auth, req *pando.Request, rec *pando.Record) (string, error) {
	body, err := a.Impersonate(b.Context(), req, "users", rec.ID(), time.Hour, pando.Projection{Fields: "token"})
	if err != nil {
		return "", err
	}
	return string(body[len(`{"token":"`) : len(body)-len(`"}`)]), nil
}
