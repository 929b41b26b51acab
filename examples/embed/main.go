// Command guestbook is a whole backend made of Pando and a few rules of its own:
// people log in and sign, entries are tidied and checked, deletions are noted,
// and one route says what the PocketBase SDKs have no call for.
//
// It uses nothing but the two public packages, pando and pando/server.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/server"
)

func main() {
	dir := flag.String("dir", "guestbook_data", "data directory")
	addr := flag.String("http", server.DefaultHTTP, "address to serve on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *dir, *addr); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dir, addr string) error {
	s, err := server.New(server.Config{
		Dir: dir, HTTP: addr, Admin: server.Off,
		OnReady: func(i server.Info) { fmt.Println("ready:", i.URL) },
	})
	if err != nil {
		return err
	}
	defer s.Close() // Run does it too; this is for the ways out before
	if err := s.Collections().Import(ctx, schema, false); err != nil {
		return err
	}
	if email := os.Getenv("GUESTBOOK_EMAIL"); email != "" {
		if _, err := s.FirstSuperuser(ctx, email, os.Getenv("GUESTBOOK_PASSWORD")); err != nil {
			return err
		}
	}
	g := guestbook{s}
	s.OnRecordCreate(g.sign, "entries")
	s.OnRecordUpdate(g.edit, "entries")
	s.OnRecordDelete(g.remove, "entries")
	s.OnLogin(g.login, "users")
	s.HandleFunc("GET /api/guestbook/summary", g.summary)
	return s.Run(ctx)
}

// schema is what the program needs. Importing it again changes nothing.
var schema = []json.RawMessage{
	json.RawMessage(`{
		"id": "entries00000001", "name": "entries", "type": "base",
		"listRule": "hidden = false || author = @request.auth.id", "viewRule": "hidden = false || author = @request.auth.id",
		"createRule": "@request.auth.id != ''",
		"updateRule": "author = @request.auth.id", "deleteRule": "author = @request.auth.id",
		"fields": [
			{"name": "message", "type": "text", "required": true, "max": 500},
			{"name": "author", "type": "relation", "collectionId": "_pb_users_auth_", "maxSelect": 1},
			{"name": "hidden", "type": "bool"},
			{"name": "edits", "type": "number"},
			{"name": "created", "type": "autodate", "onCreate": true}
		]
	}`),
	json.RawMessage(`{
		"id": "removals0000001", "name": "removals", "type": "base",
		"fields": [
			{"name": "entry", "type": "text"},
			{"name": "by", "type": "text"},
			{"name": "message", "type": "text"}
		]
	}`),
}

type guestbook struct{ server *server.Server }

// sign tidies a new entry, refuses advertisements, and makes whoever asks its
// author, whatever was sent.
func (g guestbook) sign(ctx context.Context, e *server.RecordEvent, next func(context.Context) error) error {
	message := strings.Join(strings.Fields(e.Record.String("message")), " ")
	if strings.Contains(message, "://") {
		return &pando.Error{
			Kind: pando.KindInvalid, Message: "This entry cannot be taken.",
			Data: pando.FieldErrors{"message": &pando.FieldError{Code: "guestbook_link", Message: "Links are not allowed."}},
		}
	}
	e.Record.Set("message", message)
	if !e.Request.IsSuperuser() {
		e.Record.Set("author", e.Request.Auth.ID())
	}
	return next(ctx)
}

// edit counts how often an entry was changed.
func (g guestbook) edit(ctx context.Context, e *server.RecordEvent, next func(context.Context) error) error {
	if e.Old.String("message") != e.Record.String("message") {
		edits, _ := e.Old.Get("edits").(float64)
		e.Record.Set("edits", edits+1)
	}
	return next(ctx)
}

// remove notes what was deleted, once it is.
func (g guestbook) remove(ctx context.Context, e *server.RecordEvent, next func(context.Context) error) error {
	if err := next(ctx); err != nil {
		return err
	}
	by := ""
	if e.Request.Auth != nil {
		by = e.Request.Auth.ID()
	}
	_, err := g.server.Records().Create(ctx, g.server.Superuser(), "removals", pando.Input{Body: map[string]any{
		"entry": e.Record.ID(), "by": by, "message": e.Record.String("message"),
	}}, pando.Projection{})
	return err
}

// login lets in only those with a name, and greets them.
func (g guestbook) login(ctx context.Context, e *server.LoginEvent, next func(context.Context) error) error {
	name := e.Record.String("name")
	if name == "" {
		return &pando.Error{Kind: pando.KindForbidden, Message: "Somebody has to give you a name first."}
	}
	e.Meta = map[string]string{"greeting": "Hello, " + name + "!", "method": e.Method}
	return next(ctx)
}

// summary counts the entries that the caller may see, and shows the newest.
func (g guestbook) summary(w http.ResponseWriter, r *http.Request) error {
	who, err := g.server.Request(r)
	if err != nil {
		return err
	}
	answer, err := g.server.Records().List(r.Context(), who, "entries", pando.ListQuery{
		PerPage: 1, Sort: "-created,-@rowid", Projection: pando.Projection{Fields: "message,edits"},
	})
	if err != nil {
		return err
	}
	var list struct {
		TotalItems int               `json:"totalItems"`
		Items      []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return err
	}
	if list.TotalItems == 0 {
		return errEmpty
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(map[string]any{"entries": list.TotalItems, "newest": list.Items[0]})
}

var errEmpty = &pando.Error{Kind: pando.KindNotFound, Message: "Nobody has signed yet."}
