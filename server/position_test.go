package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// positioned sends a request that presents a position and returns the one that
// comes back.
func positioned(t *testing.T, method, url, pos string, body string) (status int, got, reset string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if pos != "" {
		req.Header.Set("X-Pos", pos)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode, res.Header.Get("X-Pos"), res.Header.Get("X-Pos-Reset")
}

func TestPositions(t *testing.T) {
	dir := t.TempDir()
	r := start(t, config(dir))
	posts(t, r.info.URL, superuser(t, dir, r.info.URL))
	records := r.info.URL + "/api/collections/posts/records"
	put := func(method, url, pos string) string {
		t.Helper()
		status, got, reset := positioned(t, method, url, pos, `{"id":"abcdefghijklmno","title":"x"}`)
		if status != 200 || reset != "" || len(got) != 42 {
			t.Fatalf("%s %s: %d, X-Pos %q, X-Pos-Reset %q", method, url, status, got, reset)
		}
		return got
	}
	created := put("POST", records, "0")
	one := records + "/abcdefghijklmno"
	if read := put("GET", one, created); read < created {
		t.Errorf("read at %s after a write at %s", read, created)
	}
	if again := put("GET", one, "0"); again < created { // from the cache
		t.Errorf("the fact is of %s, what it shows was written at %s", again, created)
	}
	updated := put("PATCH", one, created)
	if updated <= created {
		t.Errorf("the second write is at %s, the first at %s", updated, created)
	}
	if list := put("GET", records, updated); list != updated {
		t.Errorf("nothing was written since %s, the list is of %s", updated, list)
	}
	if status, got, _ := positioned(t, "GET", one, "", ""); status != 200 || got != "" {
		t.Errorf("%d, X-Pos %q for a client that keeps none", status, got)
	}

	// What this database has not given out counts for nothing.
	forged := updated[:len(updated)-1] + "0"
	if forged == updated {
		forged = updated[:len(updated)-1] + "1"
	}
	if status, got, reset := positioned(t, "GET", one, forged, ""); status != 200 || got != updated || reset != "" {
		t.Errorf("forged: %d, %q, %q", status, got, reset)
	}
	other := t.TempDir()
	r2 := start(t, config(other))
	if status, got, reset := positioned(t, "GET", r2.info.URL+"/api/health", updated, ""); status != 200 || got != "0" || reset != "" {
		t.Errorf("foreign: %d, %q, %q", status, got, reset)
	}

	// A restart is not the end of a position.
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	r = start(t, config(dir))
	one = r.info.URL + "/api/collections/posts/records/abcdefghijklmno"
	if got := put("GET", one, updated); got < updated {
		t.Errorf("after a restart: %s, before: %s", got, updated)
	}
}

// Readers and writers that each keep the greatest position never see one smaller
// than their own, and no position is taken for one from the future.
func TestPositionsNeverGoBack(t *testing.T) {
	dir := t.TempDir()
	r := start(t, config(dir))
	posts(t, r.info.URL, superuser(t, dir, r.info.URL))
	records := r.info.URL + "/api/collections/posts/records"
	var clients sync.WaitGroup
	for c := range 6 {
		clients.Go(func() {
			id := fmt.Sprintf("client%09d", c)
			pos := "0"
			for i := range 60 {
				method, url, body := "GET", records+"?perPage=3", ""
				switch {
				case i == 0:
					method, body = "POST", `{"id":"`+id+`","title":"0"}`
				case i%3 == 1:
					method, url, body = "PATCH", records+"/"+id, fmt.Sprintf(`{"title":"%d"}`, i)
				case i%3 == 2:
					url = records + "/" + id
				}
				status, got, reset := positioned(t, method, url, pos, body)
				if status != 200 || got < pos || reset != "" || method != "GET" && got == pos {
					t.Errorf("client %d, %s: %d, X-Pos %q after %q, X-Pos-Reset %q", c, method, status, got, pos, reset)
					return
				}
				pos = got
			}
		})
	}
	clients.Wait()
	res, err := http.Get(r.info.AdminURL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	metrics := string(b)
	for _, line := range []string{
		`pando_client_positions_total{verdict="future"} 0`, `pando_client_positions_total{verdict="forged"} 0`,
		`pando_client_positions_total{verdict="start"} 6`, `pando_client_positions_total{verdict="holds"} 354`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("the metrics do not say %s", line)
		}
	}
}
