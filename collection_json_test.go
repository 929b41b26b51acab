package pando_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
)

func TestCollectionJSONKeepsOrderAndNulls(t *testing.T) {
	const text = `{"id":"pbc_1","listRule":null,"viewRule":"","createRule":null,"updateRule":"a = 1","deleteRule":null,"name":"n","type":"base",` +
		`"fields":[{"hidden":false,"id":"f1","maxSelect":1,"maxSize":0,"mimeTypes":null,"name":"doc","presentable":false,"protected":false,"required":false,"system":false,"thumbs":null,"type":"file"}],` +
		`"indexes":[],"created":"2026-01-02 03:04:05.000Z","updated":"","system":false}`
	c := new(pando.Collection)
	if err := json.Unmarshal([]byte(text), c); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCollectionMerge(t *testing.T) {
	c := &pando.Collection{Type: pando.TypeAuth, Auth: &pando.AuthOptions{
		AuthToken:    pando.TokenConfig{Secret: "s1", Duration: 5},
		PasswordAuth: pando.PasswordAuth{Enabled: true, IdentityFields: []string{"email", "name"}},
		OAuth2: pando.OAuth2{Providers: []pando.OAuth2Provider{
			{Name: "a", ClientSecret: "sa", DisplayName: "A"}, {Name: "b", ClientSecret: "sb"},
		}},
	}}
	err := json.Unmarshal([]byte(`{"authToken":{"duration":9},"passwordAuth":{"enabled":false},
		"oauth2":{"providers":[{"name":"b","clientId":"x"},{"name":"a","clientSecret":"new"}]}}`), c)
	if err != nil {
		t.Fatal(err)
	}
	want := &pando.AuthOptions{
		AuthToken:    pando.TokenConfig{Secret: "s1", Duration: 9},
		PasswordAuth: pando.PasswordAuth{IdentityFields: []string{"email", "name"}},
		OAuth2: pando.OAuth2{Providers: []pando.OAuth2Provider{
			{Name: "b", ClientID: "x", ClientSecret: "sb"}, {Name: "a", ClientSecret: "new"},
		}},
	}
	if diff := cmp.Diff(want, c.Auth); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	shown, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"s1", `"sb"`, "new"} {
		if strings.Contains(string(shown), secret) {
			t.Errorf("the client sees %s in %s", secret, shown)
		}
	}
	stored, err := c.MarshalSecret()
	if err != nil {
		t.Fatal(err)
	}
	back := &pando.Collection{}
	if err := json.Unmarshal(stored, back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, back.Auth); diff != "" {
		t.Errorf("stored and read back (-want +got):\n%s", diff)
	}
}
