package cluster

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/pandobase/pando/test/target"
)

// TestRevokedWhileItsServerIsFrozen: a server is frozen that has an event to tell. Behind
// the change that this is of, somebody loses a role, and behind that a record is written
// which they may not see any more, and which the event shows. When the server is thawed it
// tells them less, or nothing.
func TestRevokedWhileItsServerIsFrozen(t *testing.T) {
	s := newStage(t, target.ClusterOptions{Replicas: 1, Caches: none})
	_, others := s.tailer(t)
	frozen, web := others[0], others[1]
	post := func(path string, body object) (id string) {
		var made struct{ ID string }
		s.must(t, web, "POST", path, body, &made)
		return made.ID
	}
	secrets := post("/api/collections", object{"name": "secrets", "type": "base", "viewRule": "@request.auth.role = 'staff'",
		"fields": []any{object{"name": "value", "type": "text"}}})
	post("/api/collections", object{"name": "people", "type": "auth", "fields": []any{object{"name": "role", "type": "text"}}})
	post("/api/collections", object{"name": "posts", "type": "base", "listRule": "", "viewRule": "", "fields": []any{
		object{"name": "title", "type": "text"}, object{"name": "secret", "type": "relation", "collectionId": secrets, "maxSelect": 1},
	}})
	secret := post("/api/collections/secrets/records", object{"value": "old"})
	shown := "/api/collections/posts/records/" + post("/api/collections/posts/records", object{"secret": secret})
	const password = "correct horse"
	eve := "/api/collections/people/records/" + post("/api/collections/people/records", object{
		"email": "eve@example.com", "password": password, "passwordConfirm": password, "role": "staff",
	})
	var login struct{ Token string }
	s.must(t, web, "POST", "/api/collections/people/auth-with-password", object{"identity": "eve@example.com", "password": password}, &login)

	events := s.listen(t, frozen, login.Token, `posts/*?options={"query":{"expand":"secret"}}`)
	change := func(path string, body object) { t.Helper(); s.must(t, web, "PATCH", path, body, nil) }
	change(shown, object{"title": "before"})
	if e := events.next(t); !strings.Contains(e, `"value":"old"`) {
		t.Fatalf("what she may see is not there: %s", e)
	}
	must(t, frozen.Freeze())
	change(shown, object{"title": "meanwhile"})
	change(eve, object{"role": "none"})
	change("/api/collections/secrets/records/"+secret, object{"value": "new"})
	must(t, frozen.Thaw())
	change(shown, object{"title": "last"})
	for e := ""; !strings.Contains(e, `"last"`); {
		if e = events.next(t); e == "" {
			return // she has to come back
		}
		if strings.Contains(e, `"value"`) {
			t.Fatalf("who lost a role is told: %s", e)
		}
	}
}

// events are what one client is told.
type events struct{ lines *bufio.Scanner }

// listen subscribes to a topic at m.
func (s *stage) listen(t *testing.T, m *target.Member, token, topic string) *events {
	t.Helper()
	res, err := s.http.Get(m.URL + "/api/realtime")
	must(t, err)
	t.Cleanup(func() { res.Body.Close() })
	e := &events{bufio.NewScanner(res.Body)}
	var hello struct{ ClientID string }
	must(t, json.Unmarshal([]byte(e.next(t)), &hello))
	body, err := json.Marshal(object{"clientId": hello.ClientID, "subscriptions": []string{topic}})
	must(t, err)
	req, err := http.NewRequestWithContext(t.Context(), "POST", m.URL+"/api/realtime", bytes.NewReader(body))
	must(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", token)
	answered, err := s.http.Do(req)
	must(t, err)
	answered.Body.Close()
	if answered.StatusCode != http.StatusNoContent {
		t.Fatalf("subscribe at %s: %d", m.Name, answered.StatusCode)
	}
	return e
}

// next is the data of the next event, "" if the connection has ended.
func (e *events) next(t *testing.T) string {
	t.Helper()
	for e.lines.Scan() {
		if data, ok := strings.CutPrefix(e.lines.Text(), "data:"); ok {
			return data
		}
	}
	must(t, e.lines.Err())
	return ""
}
