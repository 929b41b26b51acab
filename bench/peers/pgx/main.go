// Command pgx is the bare handler over PostgreSQL that Pando is compared with:
// net/http, pgxpool and encoding/json, written as one would who needs nothing
// but to view and create records of one table. It reads and writes the same
// rows of the same tables and answers the same JSON as Pando; there are no
// users, rules, hooks, changes to follow, replicas or retries.
//
// It is a module of its own so that none of its dependencies become Pando's.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

func main() {
	addr := flag.String("http", "", "address to listen on")
	database := flag.String("database", "", "postgres://user@host/name")
	conns := flag.Int("conns", 32, "connections to the database")
	flag.Parse()
	log.Fatal(run(*addr, *database, *conns))
}

func run(addr, database string, conns int) error {
	ctx := context.Background()
	cfg, err := pgxpool.ParseConfig(database)
	if err != nil {
		return err
	}
	cfg.MaxConns = int32(conns)
	pool, err := pgxpool.NewWithConfig(ctx, cfg) // prepares each statement once per connection
	if err != nil {
		return err
	}
	s := &server{pool: pool}
	err = pool.QueryRow(ctx, "SELECT id FROM _pando_collections WHERE name = 'items'").Scan(&s.collectionID)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/health", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) })
	mux.HandleFunc("GET /api/collections/items/records/{id}", s.view)
	mux.HandleFunc("POST /api/collections/items/records", s.create)
	return http.ListenAndServe(addr, mux)
}

type server struct {
	pool         *pgxpool.Pool
	collectionID string
}

// record is a row, and its JSON.
type record struct {
	CollectionID   string  `json:"collectionId"`
	CollectionName string  `json:"collectionName"`
	ID             string  `json:"id"`
	Title          string  `json:"title"`
	Body           string  `json:"body"`
	Category       string  `json:"category"`
	Lot            string  `json:"lot"`
	Points         float64 `json:"points"`
	Active         bool    `json:"active"`
	Due            date    `json:"due"`
	Owner          string  `json:"owner"`
	Created        date    `json:"created"`
	Updated        date    `json:"updated"`
}

// date is a time as the web API writes it.
type date struct{ time.Time }

const dateLayout = "2006-01-02 15:04:05.000Z"

func (d date) MarshalJSON() ([]byte, error) {
	b := append(make([]byte, 0, len(dateLayout)+2), '"')
	return append(d.UTC().AppendFormat(b, dateLayout), '"'), nil
}

func (d *date) UnmarshalJSON(b []byte) (err error) {
	d.Time, err = time.Parse(`"`+dateLayout+`"`, string(b))
	return err
}

const columns = "id, title, body, category, lot, points, active, due, owner, created, updated"

func (s *server) view(w http.ResponseWriter, r *http.Request) {
	var rec record
	err := s.pool.QueryRow(r.Context(), "SELECT "+columns+" FROM items WHERE id = $1", r.PathValue("id")).Scan(
		&rec.ID, &rec.Title, &rec.Body, &rec.Category, &rec.Lot, &rec.Points, &rec.Active, &rec.Due.Time,
		&rec.Owner, &rec.Created.Time, &rec.Updated.Time)
	if errors.Is(err, pgx.ErrNoRows) {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	s.answer(w, &rec, err)
}

func (s *server) create(w http.ResponseWriter, r *http.Request) {
	var rec record
	if err := json.NewDecoder(r.Body).Decode(&rec); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	rec.ID = rand.Text()[:15]
	rec.Created.Time = time.Now().UTC().Truncate(time.Millisecond)
	rec.Updated = rec.Created
	_, err := s.pool.Exec(r.Context(), "INSERT INTO items ("+columns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
		rec.ID, rec.Title, rec.Body, rec.Category, rec.Lot, rec.Points, rec.Active, rec.Due.Time,
		rec.Owner, rec.Created.Time, rec.Updated.Time)
	s.answer(w, &rec, err)
}

func (s *server) answer(w http.ResponseWriter, rec *record, err error) {
	if err != nil {
		log.Print(err)
		http.Error(w, "database", http.StatusInternalServerError)
		return
	}
	rec.CollectionID, rec.CollectionName = s.collectionID, "items"
	body, err := json.Marshal(rec)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json") // and what Pando sends besides, so that as much is on the wire
	h.Set("Vary", "Origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("X-Xss-Protection", "1; mode=block")
	w.Write(body)
}
