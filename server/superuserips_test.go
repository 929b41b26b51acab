package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// The setting superuserIPs counts for the tokens of files as for all others:
// they stand in links, which are passed on.
func TestSuperuserFileTokenByAddress(t *testing.T) {
	dir := t.TempDir()
	r := start(t, config(dir))
	token := superuser(t, dir, r.info.URL)
	api := func(method, path string, body any) map[string]any {
		t.Helper()
		status, out := call(t, method, r.info.URL+path, token, body)
		if status != http.StatusOK {
			t.Fatalf("%s %s: %d %v", method, path, status, out)
		}
		return out
	}
	api("POST", "/api/collections", map[string]any{"name": "docs", "type": "base",
		"fields": []any{map[string]any{"name": "f", "type": "file", "protected": true}}})
	rec := upload(t, r.info.URL+"/api/collections/docs/records", token)
	api("PATCH", "/api/settings", map[string]any{
		"trustedProxy": map[string]any{"headers": []string{"X-Real-IP"}}, "superuserIPs": []string{"127.0.0.1", "10.0.0.0/8"},
	})
	fileToken := api("POST", "/api/files/token", nil)["token"].(string)
	url := r.info.URL + "/api/files/docs/" + rec["id"].(string) + "/" + rec["f"].(string) + "?token=" + fileToken
	for ip, want := range map[string]int{"10.1.2.3": http.StatusOK, "192.0.2.1": http.StatusForbidden} {
		req, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Real-IP", ip)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("from %s: status %d, want %d", ip, res.StatusCode, want)
		}
	}
}

// upload makes a record with a file f.
func upload(t *testing.T, url, token string) (rec map[string]any) {
	t.Helper()
	form := "--X\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\nhello\r\n--X--\r\n"
	req, err := http.NewRequest("POST", url, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "multipart/form-data; boundary=X")
	req.Header.Set("Authorization", token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&rec); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("upload: %d %v, %v", res.StatusCode, rec, err)
	}
	return rec
}
