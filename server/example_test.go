package server_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/server"
)

// scratch is a directory for an example, and its end.
func scratch() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "pando-example-")
	if err != nil {
		log.Fatal(err)
	}
	return dir, func() { os.RemoveAll(dir) }
}

// A server with every setting that a program may want to make; the zero Config
// does for most.
func ExampleNew() {
	dir, remove := scratch()
	defer remove()
	ctx, stop := context.WithCancel(context.Background())
	cfg := server.Config{
		Dir:         filepath.Join(dir, server.DefaultDir),
		HTTP:        "127.0.0.1:0", // any free port; the default is server.DefaultHTTP
		Admin:       server.Off,
		PublicDir:   filepath.Join(dir, server.DefaultPublicDir),
		PagesDir:    filepath.Join(dir, server.DefaultPagesDir),
		CacheSize:   64 << 20,
		StopTimeout: server.DefaultStop / 2,
		Log:         slog.New(slog.DiscardHandler),
		OnReady: func(i server.Info) {
			res, err := http.Get(i.URL + "/readyz")
			if err != nil {
				log.Fatal(err)
			}
			defer res.Body.Close()
			word, _ := io.ReadAll(res.Body)
			fmt.Print(string(word))
			stop() // usually a signal does
		},
	}
	if os.Getenv("METRICS") != "" {
		cfg.Admin = server.DefaultAdmin
	}
	if err := cfg.Check(); err != nil {
		log.Fatal(err)
	}
	s, err := server.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Run(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("stopped")
	// Output:
	// ok
	// stopped
}

// A hook is a function that wraps the operation.
func ExampleHook() {
	var timed server.Hook[*server.RecordEvent] = func(ctx context.Context, e *server.RecordEvent, next func(context.Context) error) error {
		began := time.Now()
		err := next(ctx)
		slog.Info("record written", "collection", e.Collection.Name, "took", time.Since(began), "error", err)
		return err
	}
	var s *server.Server // of server.New
	if s != nil {
		s.OnRecordCreate(timed)
		s.OnRecordUpdate(timed, "posts", "comments")
	}
}

// A program that has a listener of its own takes the handler.
func ExampleServer_Handler() {
	dir, remove := scratch()
	defer remove()
	s, err := server.New(server.Config{Dir: dir, PublicDir: server.Off, PagesDir: server.Off})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	s.Handle("GET /hello", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") }))
	s.HandleFunc("GET /api/teapot", func(http.ResponseWriter, *http.Request) error {
		return pando.Invalid("There is coffee only.")
	})
	h, err := s.Handler()
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range []string{"/hello", "/api/teapot"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 hello
	// 400 {"data":{},"message":"There is coffee only.","status":400}
}

// A file of rows becomes a collection.
func ExampleData_Import() {
	dir, remove := scratch()
	defer remove()
	path := filepath.Join(dir, "cities.csv")
	if err := os.WriteFile(path, []byte("name,people\nRome,2800000\nOslo,many\nParis,2100000\n"), 0o600); err != nil {
		log.Fatal(err)
	}
	var data *server.Data
	data, err := server.OpenData(server.Place{Dir: filepath.Join(dir, "data")}) // a server may use it meanwhile
	if err != nil {
		log.Fatal(err)
	}
	defer data.Close()
	var sum server.ImportSummary
	sum, err = data.Import(context.Background(), path, server.ImportOptions{
		Collection: "cities",
		Public:     true,
		Progress:   func(p server.ImportProgress) { fmt.Println(p.Rows, "rows dealt with") },
		Report:     func(r server.ImportRowError) { fmt.Println("row", r.Number, "not taken:", r.Err) },
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum.Rows, "rows in", sum.Collection.Name)
	fmt.Println(sum.Collection.Field("people").Type)
	// Output:
	// 3 rows dealt with
	// 3 rows in cities
	// text
}

// Backups are made while a server serves.
func ExampleBackup() {
	dir, remove := scratch()
	defer remove()
	source, archive, target := filepath.Join(dir, "data"), filepath.Join(dir, "monday.zip"), filepath.Join(dir, "restored")
	users, err := server.OpenSuperusers(server.Place{Dir: source}) // makes the directory
	if err != nil {
		log.Fatal(err)
	}
	if err := users.Close(); err != nil {
		log.Fatal(err)
	}
	made, err := server.Backup(context.Background(), server.Place{Dir: source}, archive, "v1", func(entries int, bytes int64) {})
	if err != nil {
		log.Fatal(err)
	}
	var restored *server.BackupInfo
	if restored, err = server.Restore(context.Background(), archive, server.Place{Dir: target}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(restored.Entries == made.Entries, len(restored.Missing))
	// Output: true 0
}

// Superusers can be looked after without a server, or beside one.
func ExampleOpenSuperusers() {
	dir, remove := scratch()
	defer remove()
	ctx := context.Background()
	var users *server.Superusers
	users, err := server.OpenSuperusers(server.Place{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	defer users.Close()
	fmt.Println(users.Create(ctx, "ada@example.com", "a long password"))
	fmt.Println(users.Upsert(ctx, "bob@example.com", "another password"))
	fmt.Println(users.Update(ctx, "bob@example.com", "a third password"))
	fmt.Println(users.Delete(ctx, "bob@example.com"))
	fmt.Println(pando.KindOf(users.Delete(ctx, "ada@example.com")) == pando.KindInvalid) // the last one stays
	// Output:
	// <nil>
	// <nil>
	// <nil>
	// <nil>
	// true
}

// A PocketBase data directory becomes one of Pando; it is not changed.
func ExampleTakeOverPocketBase() {
	var sum server.TakeOverSummary
	sum, err := server.TakeOverPocketBase(context.Background(), "pb_data", server.Place{}, server.TakeOverOptions{
		Progress: func(p server.TakeOverProgress) { fmt.Println(p.Collection, p.Rows, "of", p.Total) },
		Report:   func(text string) { fmt.Println("not taken over:", text) },
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum.Records, "records,", sum.Files, "files,", sum.NotTaken, "things not taken")
}

// A single server's data moves into PostgreSQL, both sides are compared, and its
// server starts there.
func ExampleCopyData() {
	place := server.Place{Database: "postgres://pando:secret@db1,db2,db3/app"}
	var sum server.CopySummary
	sum, err := server.CopyData(context.Background(), "pando_data", place, server.CopyOptions{
		Progress: func(p server.CopyProgress) { fmt.Println(p.Collection, p.Rows, "of", p.Total, "compared:", p.Checking) },
		Report:   func(text string) { fmt.Println("not taken over:", text) },
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum.Records, "records are now in", server.MaskDatabase(place.Database))
	srv, err := server.New(server.Config{Database: place.Database, WriteWait: 2 * server.DefaultWriteWait})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(srv.Run(context.Background()))
}

// One of several servers that share a database, files and cache servers. Each is
// given the same secret, and a data directory of its own.
func ExampleNew_cluster() {
	cfg := server.Config{
		Database: "postgres://pando@db1,db2,db3/app", Blob: "s3://files?endpoint=https://s3.example.com",
		Cache: "redis://cache1,cache2,cache3", CacheTTL: server.DefaultCacheTTL / 2, ShadowReads: 10 * server.DefaultShadow,
		ClusterSecret: os.Getenv("PANDO_CLUSTER_SECRET"), ReadWait: server.DefaultReadWait,
	}
	srv, err := server.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("files in", server.MaskBlob(cfg.Blob), "and answers in", server.MaskCache(cfg.Cache))
	log.Fatal(srv.Run(context.Background()))
}

// What a server would stand on is looked at before it starts.
func ExampleDoctor() {
	dir, err := os.MkdirTemp("", "pando-doctor-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	checks, err := server.Doctor(context.Background(), server.Config{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range checks {
		if c.Level == "bad" {
			fmt.Println(c.About, c.Found, c.Fix)
		}
	}
	fmt.Println(server.Worst(checks) != "bad")
	// Output: true
}

// A host is added to the database while the server runs.
func ExampleServer_Reload() {
	cfg := server.Config{Database: "postgres://pando@db1,db2/app"}
	srv, err := server.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	cfg.Database = "postgres://pando@db1,db2,db3/app"
	if err := srv.Reload(cfg); err != nil {
		fmt.Println("everything stays as it was:", err)
	}
}

// A load balancer of a program's own, before web servers that it is told of.
func ExampleNewBalancer() {
	var b *server.Balancer
	b, err := server.NewBalancer(server.BalancerConfig{
		Listen: []string{server.DefaultListen}, Upstreams: []string{"10.0.0.2:8090", "10.0.0.3:8090"},
		OnReady: func(info server.BalancerInfo) { fmt.Println("serving at", info.URLs) },
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	time.AfterFunc(time.Minute, func() {
		status, err := b.Status()
		fmt.Println(string(status), err)
		stop()
	})
	if err := b.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

// A server with a domain gets a certificate for it by itself.
func ExampleNew_domain() {
	srv, err := server.New(server.Config{
		Dir: "pando_data", HTTP: server.DefaultSecureHTTP,
		TLS: server.TLS{
			Domains: []string{"app.example.com"}, HTTPS: server.DefaultHTTPS,
			ACMEDirectory: server.DefaultCertificate, ACMEEmail: "admin@example.com",
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(srv.Run(context.Background()))
}

// One of the servers of a cluster is to get no more requests, and one that is gone for
// good is forgotten.
func ExampleOpenNodes() {
	var nodes *server.Nodes
	nodes, err := server.OpenNodes("postgres://pando@db1,db2,db3/app")
	if err != nil {
		log.Fatal(err)
	}
	defer nodes.Close()
	ctx := context.Background()
	var list []server.Node
	if list, err = nodes.List(ctx); err != nil {
		log.Fatal(err)
	}
	for _, n := range list {
		fmt.Println(n.Address, n.State, n.Load)
	}
	if _, err := nodes.Drain(ctx, "10.0.0.2:8100", true); err != nil {
		log.Fatal(err)
	}
	if _, err := nodes.Remove(ctx, "10.0.0.3:8100"); err != nil {
		log.Fatal(err)
	}
}

// How everything is, as a server of the cluster and a load balancer tell it.
func ExampleFetchSystem() {
	var s server.System
	s, err := server.FetchSystem(context.Background(), "", "http://10.0.0.2:8091", "http://10.0.0.9:8091")
	if err != nil {
		log.Fatal(err)
	}
	show := func(n server.SystemNode) { fmt.Println(n.Role, n.Address, n.Words) }
	for _, n := range s.Nodes {
		show(n)
	}
}
