package redis

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
)

func TestParseURL(t *testing.T) {
	for _, tt := range []struct{ url, servers, user, password, fails string }{
		{"redis://c1", "c1:6379=c1:6379", "", "", ""},
		{"redis://c1:7000,c2,[::1],[::1]:7001", "c1:7000=c1:7000 c2:6379=c2:6379 [::1]:6379=[::1]:6379 [::1]:7001=[::1]:7001", "", "", ""},
		{"redis://pando:a%40b%3Ac@c1/", "c1:6379=c1:6379", "pando", "a@b:c", ""},
		{"redis://:only@c1", "c1:6379=c1:6379", "", "only", ""},
		{"redis://u:p@ss@c1", "c1:6379=c1:6379", "u", "p@ss", ""},
		{"rediss://c1,c2?names=a,b", "a=c1:6379 b=c2:6379", "", "", ""},
		{"c1:6379", "", "", "", "begins neither"},
		{"http://c1", "", "", "", "begins neither"},
		{"redis://", "", "", "", "number 1 of its servers"},
		{"redis://c1,,c2", "", "", "", "number 2 of its servers"},
		{"redis://c1:secret", "", "", "", "number 1 of its servers"},
		{"redis://u:sec?secret@c1", "", "", "", "%3F"},
		{"redis://u:sec/r#t@c1", "c1:6379=c1:6379", "u", "sec/r#t", ""},
		{"redis://c1,c1:6379", "", "", "", "twice"},
		{"redis://c1/2", "", "", "", "by number"},
		{"redis://c1,c2?names=a", "", "", "", "1 names for 2"},
		{"redis://c1?ca=/x", "", "", "", "option of rediss"},
		{"rediss://c1?ca=/no/such/file", "", "", "", "no such file"},
		{"redis://c1?db=1", "", "", "", "no option db"},
		{"redis://u:secret%@c1", "", "", "", "%25"},
	} {
		c, err := ParseURL(tt.url)
		if tt.fails != "" {
			if err == nil || !strings.Contains(err.Error(), tt.fails) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v, want one with %q and without the password", tt.url, err, tt.fails)
			}
			continue
		}
		var servers []string
		for _, s := range c.Servers {
			servers = append(servers, s.Name+"="+s.Addr)
		}
		if got := strings.Join(servers, " "); err != nil || got != tt.servers || c.User != tt.user || c.Password != tt.password {
			t.Errorf("%s: %s, %q, %q, %v", tt.url, got, c.User, c.Password, err)
		}
		if (c.TLS != nil) != strings.HasPrefix(tt.url, "rediss") {
			t.Errorf("%s: TLS is %v", tt.url, c.TLS)
		}
	}
}

// TestRing: keys are spread evenly; a server that comes takes over its share from
// all alike, and one that goes leaves the others' keys where they are.
func TestRing(t *testing.T) {
	var seeds []uint64
	for _, name := range []string{"c1:6379", "c2:6379", "c3:6379", "c4:6379"} {
		seeds = append(seeds, xxhash.Sum64String(name))
	}
	const n = 200_000
	var three, four [4]int
	moved, elsewhere := 0, 0
	for i := range n {
		var key name
		binary.LittleEndian.PutUint64(key.sum[:], xxhash.Sum64String(string(binary.AppendUvarint(nil, uint64(i)))))
		before, after := pick(seeds[:3], key), pick(seeds, key)
		three[before]++
		four[after]++
		if before != after {
			moved++
			if after != 3 {
				elsewhere++
			}
		}
	}
	if elsewhere > 0 {
		t.Errorf("%d keys moved between servers that stayed", elsewhere)
	}
	if moved > n/4+n/200 {
		t.Errorf("%d of %d keys moved, want a quarter", moved, n)
	}
	if least := min(three[0], three[1], three[2]); least < n/3-n/100 {
		t.Errorf("three servers have %v keys", three)
	}
	if slices.Min(four[:]) < n/4-n/100 {
		t.Errorf("four servers have %v keys", four)
	}
}
