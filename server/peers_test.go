package server_test

import (
	"bufio"
	"encoding/json"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/server"
)

// TestSubscribeElsewhere: what a client says of its subscriptions comes to any member,
// and holds for the event stream that it has with another. What members ask each other
// no client gets to.
func TestSubscribeElsewhere(t *testing.T) {
	_, url := localclustertest.Database(t)
	files := "file://" + t.TempDir()
	var clients []*http.Client
	for range 2 {
		cfg := config(filepath.Join(t.TempDir(), "data"))
		cfg.Database, cfg.ClusterSecret, cfg.Blob, cfg.Advertise = url, testSecret, files, "127.0.0.1:0"
		cfg.Log = slog.New(slog.DiscardHandler)
		clients = append(clients, through(t, testSecret, start(t, cfg).info.Private))
	}
	ask := func(c *http.Client, method, path, token, ip, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, "http://app.example"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Forwarded-For", ip)
		if token != "" {
			req.Header.Set("Authorization", token)
		}
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text := new(strings.Builder)
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			text.WriteString(lines.Text())
		}
		return res.StatusCode, text.String()
	}
	users, err := server.OpenSuperusers(server.Place{Dir: filepath.Join(t.TempDir(), "cli"), Database: url})
	if err != nil {
		t.Fatal(err)
	}
	if err := users.Upsert(t.Context(), email, password); err != nil {
		t.Error(err)
	}
	if err := users.Close(); err != nil {
		t.Error(err)
	}
	const here = "198.51.100.7"
	var login struct{ Token string }
	_, text := ask(clients[0], "POST", "/api/collections/_superusers/auth-with-password", "", here, `{"identity":"`+email+`","password":"`+password+`"}`)
	if err := json.Unmarshal([]byte(text), &login); err != nil || login.Token == "" {
		t.Fatalf("login: %s", text)
	}
	if code, text := ask(clients[0], "POST", "/api/collections", login.Token, here,
		`{"name":"posts","type":"base","listRule":null,"viewRule":null,"fields":[{"name":"title","type":"text"}]}`); code != 200 {
		t.Fatalf("collection: %d %s", code, text)
	}
	// The stream is with the first member.
	req, err := http.NewRequest("GET", "http://app.example/api/realtime", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", here)
	stream, err := clients[0].Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	events := bufio.NewScanner(stream.Body)
	next := func() (event, data string) {
		for events.Scan() && events.Text() != "" {
			name, value, _ := strings.Cut(events.Text(), ":")
			switch name {
			case "event":
				event = value
			case "data":
				data = value
			}
		}
		return event, data
	}
	_, data := next()
	var connected struct{ ClientID string }
	if err := json.Unmarshal([]byte(data), &connected); err != nil || len(connected.ClientID) != 40 {
		t.Fatalf("connected: %s", data)
	}
	subscribe := func(id string) string { return `{"clientId":"` + id + `","subscriptions":["posts/*"]}` }
	for _, c := range []struct {
		name, token, ip, id string
		want                int
	}{
		{"nobody's id", "", here, strings.Repeat("x", 40), 404},
		{"an id of the other member's that is not there", "", here, connected.ClientID[:8] + strings.Repeat("x", 32), 404},
		{"from another address", "", "198.51.100.8", connected.ClientID, 400},
		{"with a rule that only superusers pass", login.Token, here, connected.ClientID, 204},
	} {
		if code, text := ask(clients[1], "POST", "/api/realtime", c.token, c.ip, subscribe(c.id)); code != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, code, text, c.want)
		}
	}
	if code, text := ask(clients[1], "POST", "/api/collections/posts/records", login.Token, here, `{"title":"hello"}`); code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	if event, data := next(); event != "posts/*" || !strings.Contains(data, `"title":"hello"`) {
		t.Errorf("the event is %q %s", event, data)
	}
	if code, _ := ask(clients[0], "POST", "/api/realtime", "", here, subscribe(connected.ClientID)); code != 403 {
		t.Errorf("somebody else takes the connection over: %d", code)
	}
	if code, text := ask(clients[0], "GET", "/members", login.Token, here, ""); code != 404 {
		t.Errorf("a client reads who is a member: %d %s", code, text)
	}
}
