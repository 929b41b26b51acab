package importer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/auth"
	"github.com/pandobase/pando/internal/importer"
	"github.com/pandobase/pando/internal/servicetest"
)

func TestAuthRows(t *testing.T) {
	f := newFixture(t)
	hash, err := f.passwords.Hash(t.Context(), "bobs-password", 5)
	if err != nil {
		t.Fatal(err)
	}
	rows := []string{
		`{"email":"ada@example.com","password":"adas-password","name":"Ada","verified":true}`,
		fmt.Sprintf(`{"email":"bob@example.com","passwordHash":%q,"tokenKey":%q}`, hash, strings.Repeat("b", 50)),
		`{"email":"cy@example.com"}`,
		`{"email":"di@example.com","password":"short"}`,
		`{"email":"ed@example.com","passwordHash":"5f4dcc3b5aa765d61d8327deb882cf99"}`,
		fmt.Sprintf(`{"email":"flo@example.com","password":"flos-password","passwordHash":%q}`, hash),
		`{"email":"gil@example.com","password":` + `"` + strings.Repeat("x", 80) + `"}`,
		`{"email":"ada@example.com","password":"adas-password"}`,
		`{"email":"hal@example.com","password":12345678}`,
		`{"password":"some-password"}`,
	}
	sum := f.imports(t, file(t, "users.ndjson", strings.Join(rows, "\n")), importer.Options{Collection: "users"})
	if sum.Rows != 3 || sum.Failed != 7 || sum.Locked != 1 || sum.Created {
		t.Errorf("%+v", sum)
	}
	if diff := cmp.Diff([]string{
		"4: password: Must be at least 8 character(s).",
		"5: passwordHash is not a bcrypt hash",
		"6: has both password and passwordHash",
		"7: password: Must be less than 71 character(s).",
		"8: email: another record has the same value",
		"9: password is not a text",
		"10: email: Cannot be blank.",
	}, f.failed); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	if len(f.notes) != 1 || !strings.Contains(f.notes[0], "slow") {
		t.Errorf("notes: %q", f.notes)
	}
	login := auth.New(auth.Config{Store: f.Store, Facts: f.Facts, Passwords: f.passwords, Encode: servicetest.Encode})
	for _, tt := range []struct {
		identity, password string
		ok                 bool
	}{
		{"ada@example.com", "adas-password", true}, {"ada@example.com", "bobs-password", false},
		{"bob@example.com", "bobs-password", true}, {"bob@example.com", hash, false},
		{"cy@example.com", "", false}, {"cy@example.com", "cys-password", false},
	} {
		_, err := login.WithPassword(t.Context(), &pando.Request{}, "users", pando.PasswordLogin{Identity: tt.identity, Password: tt.password}, pando.Projection{})
		if (err == nil) != tt.ok {
			t.Errorf("login of %s with %q: %v", tt.identity, tt.password, err)
		}
	}
	recs := f.records(t, "users")
	if recs[1].String("password") != hash || recs[1].String("tokenKey") != strings.Repeat("b", 50) || len(recs[0].String("tokenKey")) != 50 || !recs[0].Bool("verified") {
		t.Errorf("%v\n%v", recs[0].Values, recs[1].Values)
	}
	if recs[2].String("password") == "" || recs[2].String("password") == recs[0].String("password") {
		t.Error("a record without a password has none that nobody knows")
	}

	// Hashes alone are quick, and nothing has to be said.
	f.imports(t, file(t, "more.ndjson", fmt.Sprintf(`{"email":"x@example.com","passwordHash":%q}`, hash)), importer.Options{Collection: "users"})
	if len(f.notes) != 0 {
		t.Errorf("notes: %q", f.notes)
	}
}
