package target

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPeerStartsAnswersAndStops(t *testing.T) {
	s := Peer(t)
	res, err := http.Post(s.URL+"/api/collections/_superusers/auth-with-password", "application/json",
		strings.NewReader(`{"identity":"`+s.Email+`","password":"`+s.Password+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("login: %v, status %d: %s", err, res.StatusCode, body)
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "data.db")); err != nil {
		t.Errorf("no database in the data directory: %v", err)
	}
	s.Stop()
	s.Stop()
	if res, err := http.Get(s.URL + "/api/health"); err == nil {
		res.Body.Close()
		t.Errorf("still answers after Stop: %s", res.Status)
	}
}

func TestStartSaysWhyAServerDoesNotComeUp(t *testing.T) {
	file := filepath.Join(t.TempDir(), "not-a-directory")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := StartPeer(t.Context(), filepath.Join(file, "data"))
	if err == nil {
		s.Stop()
		t.Fatal("started in a directory that cannot be made")
	}
	if !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("the error does not carry the server's words: %v", err)
	}
}
