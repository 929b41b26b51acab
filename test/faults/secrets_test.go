package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoSecretsInLogs does everything that has to do with secrets, well and
// badly, with the log at its most talkative, and then looks for each of them in
// what the server printed.
func TestNoSecretsInLogs(t *testing.T) {
	a := start(t, "--log-level", "debug")
	secrets := map[string]string{"superuser's password": a.Password, "superuser's token": a.token}
	keep := func(what, secret string) string {
		if len(secret) < 6 {
			t.Fatalf("%s: %q", what, secret)
		}
		secrets[what] = secret
		return secret
	}
	a.must(t, a.json(t, "PATCH", "/api/collections/users", a.token, map[string]any{
		"createRule": "", "listRule": "", "viewRule": "", "updateRule": "id = @request.auth.id", "deleteRule": "id = @request.auth.id",
	}), 200)
	a.must(t, a.post(t, "/api/collections", a.token, map[string]any{"name": "vault", "type": "base", "fields": []map[string]any{
		{"name": "pin", "type": "password"}, {"name": "doc", "type": "file", "maxSelect": 1, "protected": true},
		{"name": "text", "type": "text", "max": 10},
	}, "listRule": "", "viewRule": "@request.auth.id != ''", "createRule": "", "updateRule": "", "deleteRule": ""}), 200)
	password := keep("user's password", "pw-of-the-user-1")
	user := a.must(t, a.post(t, records("users"), "", map[string]any{"email": "u@example.com", "password": password, "passwordConfirm": password}), 200)
	id := str(t, user.body, "id")
	token := keep("user's token", a.login(t, "users", "u@example.com", password))

	// Wrong passwords, wrong forms, wrong routes.
	for i, body := range []string{
		`{"identity":"u@example.com","password":"%s"}`, `{"identity":"%s","password":"x"}`, `{"identity":"u@example.com","password":"%s"`,
		`{"identity":{"a":1},"password":["%s"]}`, `{"password":"%s","password":"twice"}`, "{\"password\":\"%s\xff\"}",
	} {
		secret := keep(fmt.Sprint("wrong login ", i), fmt.Sprintf("wrong-secret-%d", i))
		for _, c := range []string{"users", "_superusers", "vault", "nobody"} {
			a.send(t, "POST", "/api/collections/"+c+"/auth-with-password", "", "application/json", strings.NewReader(fmt.Sprintf(body, secret)))
		}
	}
	for i, path := range []string{"/api/collections/users/records", "/api/collections/users/records/" + id, "/api/collections/nobody/records"} {
		for j, body := range []map[string]any{
			{"password": "%", "passwordConfirm": "other"}, {"password": "%", "passwordConfirm": "%", "oldPassword": "%"},
			{"password": "%", "passwordConfirm": "%", "email": "u@example.com"}, {"password": []string{"%"}, "tokenKey": "%"},
		} {
			secret := keep(fmt.Sprintf("refused write %d %d", i, j), fmt.Sprintf("refused-secret-%d-%d", i, j))
			b, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			for _, method := range []string{"POST", "PATCH"} {
				a.send(t, method, path, token, "application/json", strings.NewReader(strings.ReplaceAll(string(b), "%", secret)))
			}
		}
	}
	for _, where := range []string{"?password=%s", "?token=%s", "?filter=password='%s'", "?filter=(((%s", "?sort=%s", "?expand=%s&fields=%s:x("} {
		secret := keep("in the query "+where, "query-secret-"+fmt.Sprint(len(secrets)))
		a.get(t, records("vault")+strings.ReplaceAll(where, "%s", secret), "")
	}
	for _, header := range []string{"Bearer %s", "%s", "Basic %s", "%s.%s.%s"} {
		secret := keep("in the header "+header, "header-secret-"+fmt.Sprint(len(secrets)))
		a.get(t, records("vault"), strings.ReplaceAll(header, "%s", secret))
	}

	// What goes well: changes of passwords, impersonation, file tokens, pins.
	second := keep("second password", "pw-of-the-user-2")
	a.must(t, a.json(t, "PATCH", records("users")+"/"+id, token, map[string]any{"password": second, "passwordConfirm": second, "oldPassword": password}), 200)
	token = keep("second token", a.login(t, "users", "u@example.com", second))
	keep("refreshed token", str(t, a.must(t, a.post(t, "/api/collections/users/auth-refresh", token, nil), 200).body, "token"))
	keep("impersonating token", str(t, a.must(t, a.post(t, "/api/collections/users/impersonate/"+id, a.token, nil), 200).body, "token"))
	fileToken := keep("file token", str(t, a.must(t, a.post(t, "/api/files/token", token, nil), 200).body, "token"))
	ct, body := form(t, map[string]string{"pin": keep("pin", "pin-of-the-vault")}, [3]string{"doc", "a.txt", keep("content of a file", "content-of-the-document")})
	vault := a.must(t, a.send(t, "POST", records("vault"), "", ct, body), 200)
	doc := "/api/files/vault/" + str(t, vault.body, "id") + "/" + str(t, vault.body, "doc")
	a.must(t, a.get(t, doc+"?token="+fileToken, ""), 200)
	a.must(t, a.get(t, doc+"?token="+keep("bad file token", "bad-file-token"), ""), 404)
	a.must(t, a.json(t, "PATCH", "/api/settings", a.token, map[string]any{
		"smtp": map[string]any{"password": keep("mail password", "mail-password")}, "s3": map[string]any{"secret": keep("s3 secret", "s3-secret-key")},
	}), 200)
	a.json(t, "PATCH", "/api/settings", a.token, map[string]any{
		"smtp": map[string]any{"enabled": true, "port": "x", "password": keep("refused mail password", "refused-mail-password")},
	})
	st := a.listen(t, token, "vault/*", "users/"+id, `vault?options={"query":{"token":"`+keep("in a subscription", "subscription-secret")+`"}}`)
	a.must(t, a.post(t, records("vault"), "", map[string]any{"pin": "another-pin-here"}), 200)
	keep("pin of an event", "another-pin-here")
	<-st.events
	a.send(t, "POST", "/_/install/"+keep("install token", "install-token-guess"), "", "application/x-www-form-urlencoded",
		strings.NewReader("email=a@b.co&password="+keep("install password", "install-password")))
	a.must(t, a.json(t, "DELETE", records("users")+"/"+id, token, nil), 204)
	if code, out := command(t, "superuser", "upsert", "s@example.com", keep("by command", "command-password"), "--dir", a.Dir); code != 0 {
		t.Fatal(out)
	} else {
		a.noSecrets(t, "pando superuser", out, secrets)
	}

	// What only the database knows.
	for _, sql := range []string{
		"SELECT password FROM users UNION ALL SELECT tokenKey FROM users UNION ALL SELECT password FROM _superusers UNION ALL SELECT tokenKey FROM _superusers UNION ALL SELECT pin FROM vault",
		"SELECT json_extract(data, '$.authToken.secret') FROM _pando_collections WHERE json_extract(data, '$.authToken.secret') <> ''",
		"SELECT json_extract(data, '$.fileToken.secret') FROM _pando_collections WHERE json_extract(data, '$.fileToken.secret') <> ''",
	} {
		rows := strings.Fields(sqlite3(t, a.Dir, sql))
		if len(rows) < 2 {
			t.Errorf("%s finds %q", sql, rows)
		}
		for i, secret := range rows {
			keep(fmt.Sprintf("%.30s… %d", sql, i), secret)
		}
	}
	// The database breaks under way: errors of ours are logged, with all they know.
	sqlite3(t, a.Dir, "DROP TABLE vault")
	secret := keep("write that fails", "pin-that-is-lost")
	got := a.post(t, records("vault"), a.token, map[string]any{"pin": secret})
	if got.status < 400 {
		t.Errorf("a record of a table that is gone: %d", got.status)
	}
	if got.status != http.StatusServiceUnavailable && got.status != http.StatusInternalServerError {
		t.Errorf("status %d", got.status)
	}
	isError(t, got, got.status)
	a.until(t, "the table that is gone is logged", func() bool { return strings.Contains(a.Output(), "ERROR") })
	a.Stop()
	a.noSecrets(t, "the log", a.Output(), secrets)
	t.Logf("%d secrets, %d bytes of log", len(secrets), len(a.Output()))
	// Nor in files beside the database.
	for _, name := range []string{"pando.lock", "install-link"} {
		if b, err := os.ReadFile(filepath.Join(a.Dir, name)); err == nil {
			a.noSecrets(t, name, string(b), secrets)
		}
	}
}

func (a *api) noSecrets(t *testing.T, where, text string, secrets map[string]string) {
	t.Helper()
	for what, secret := range secrets {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("%s: %s says the %s: %s", where, where, what, text[max(0, i-200):min(len(text), i+100)])
		}
	}
}
