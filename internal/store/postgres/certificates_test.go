package postgres

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/certs"
	"github.com/pandobase/pando/internal/certs/certstest"
)

var certificateKey = bytes.Repeat([]byte{7}, certs.KeySize)

func sharedCertificates(t *testing.T, s *Store, keys ...[]byte) *certs.SharedStorage {
	t.Helper()
	storage, err := certs.Shared(s.Certificates(), keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(storage.Close)
	return storage
}

func TestCertificates(t *testing.T) {
	s, _ := fresh(t, Options{OneShot: true})
	certstest.Run(t, func(t *testing.T) func() certstest.Storage {
		if err := s.Certificates().r.commit(t.Context(), &query{sql: "DELETE FROM _pando_certificates"}); err != nil {
			t.Fatal(err)
		}
		return func() certstest.Storage { return sharedCertificates(t, s, certificateKey) }
	})
}

// What lies in the database is of no use without the cluster's secret, and an entry
// is where it was put.
func TestCertificatesAreSealed(t *testing.T) {
	s, _ := fresh(t, Options{OneShot: true})
	rows, ctx := s.Certificates(), t.Context()
	old := bytes.Repeat([]byte{8}, certs.KeySize)
	before := sharedCertificates(t, s, old)
	if err := before.Store(ctx, "a.key", []byte("private key")); err != nil {
		t.Fatal(err)
	}
	raw, _, ok, err := rows.Get(ctx, "a.key")
	if err != nil || !ok || bytes.Contains(raw, []byte("private")) {
		t.Fatalf("in the database: %q, %v, %v", raw, ok, err)
	}
	rotating := sharedCertificates(t, s, certificateKey, old)
	if got, err := rotating.Load(ctx, "a.key"); err != nil || string(got) != "private key" {
		t.Errorf("while the secret is changed: %q, %v", got, err)
	}
	if err := rotating.Store(ctx, "b.key", []byte("newer")); err != nil {
		t.Fatal(err)
	}
	after := sharedCertificates(t, s, certificateKey)
	if got, err := after.Load(ctx, "b.key"); err != nil || string(got) != "newer" {
		t.Errorf("sealed with the new secret: %q, %v", got, err)
	}
	for name, change := range map[string]func([]byte) []byte{
		"of another secret":  func(b []byte) []byte { return b },
		"changed":            func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"of another version": func(b []byte) []byte { b[0] = 9; return b },
		"cut off":            func(b []byte) []byte { return b[:5] },
		"of another place":   func([]byte) []byte { b, _, _, _ := rows.Get(ctx, "b.key"); return b },
		"empty":              func([]byte) []byte { return nil },
	} {
		if err := rows.Put(ctx, "c.key", change(bytes.Clone(raw))); err != nil {
			t.Fatal(err)
		}
		if got, err := after.Load(ctx, "c.key"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("an entry %s is read: %q, %v", name, got, err)
		}
	}
}

// A lock whose holder is gone is free when its lease has ended, and not before.
func TestCertificateLeaseEnds(t *testing.T) {
	s, _ := fresh(t, Options{OneShot: true})
	rows, ctx := s.Certificates(), t.Context()
	claim := func(holder string, d time.Duration, want bool) {
		t.Helper()
		if ok, err := rows.Claim(ctx, "l", holder, d); ok != want || err != nil {
			t.Errorf("%s claims: %v, %v; want %v", holder, ok, err, want)
		}
	}
	claim("gone", 300*time.Millisecond, true)
	claim("other", time.Minute, false)
	claim("gone", time.Millisecond, true) // a lease does not become shorter
	claim("other", time.Minute, false)
	next := sharedCertificates(t, s, certificateKey)
	bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := next.Lock(bounded, "l"); err != nil {
		t.Fatalf("after the lease has ended: %v", err)
	}
	claim("gone", time.Minute, false)
	if err := rows.Release(ctx, "l", "gone"); err != nil {
		t.Error(err)
	}
	claim("gone", time.Minute, false) // it released nothing
	next.Close()
	claim("gone", time.Minute, true)
}

// Below a directory is what its name and a slash begin, whatever is in the name.
func TestCertificateDirectories(t *testing.T) {
	s, _ := fresh(t, Options{OneShot: true})
	rows, ctx := s.Certificates(), t.Context()
	for _, key := range []string{"a%/x", "ab/x", `a\/x`, "a_/x"} {
		if err := rows.Put(ctx, key, []byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"a%", `a\`, "a_"} {
		if keys, err := rows.Keys(ctx, dir); err != nil || strings.Join(keys, " ") != dir+"/x" {
			t.Errorf("below %s: %q, %v", dir, keys, err)
		}
	}
	if keys, err := rows.Keys(ctx, ""); err != nil || len(keys) != 4 {
		t.Errorf("below everything: %q, %v", keys, err)
	}
}
