package doctor_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/doctor"
)

func TestCheckCaches(t *testing.T) {
	healthy := doctor.CacheServer{
		Name: "c1:6379", Trip: time.Millisecond, Version: "7.0.15", User: "pando", TLS: true,
		MaxMemory: 1 << 30, SystemMemory: 2 << 30, Used: 101 << 20, Empty: 1 << 20, Policy: "allkeys-lfu", Keys: 100_000, Up: time.Hour,
	}
	const day = 24 * time.Hour
	checks := doctor.CheckCaches([]doctor.CacheServer{healthy, healthy}, day)
	if doctor.Worst(checks) != doctor.OK {
		t.Fatalf("healthy servers: %+v", checks)
	}
	if last := checks[len(checks)-1]; !strings.Contains(last.Found, "300 MB") {
		t.Errorf("200,000 entries in 200 MB, with head room for half more: %s", last.Found)
	}
	for _, tt := range []struct {
		name   string
		damage func(s *doctor.CacheServer)
		level  doctor.Level
		found  string
	}{
		{"down", func(s *doctor.CacheServer) { s.Error = errors.New("connection refused") }, doctor.Bad, "connection refused"},
		{"old", func(s *doctor.CacheServer) { s.Version = "5.0.7" }, doctor.Bad, "Redis 5.0.7"},
		{"no limit", func(s *doctor.CacheServer) { s.MaxMemory = 0 }, doctor.Bad, "no maxmemory"},
		{"all of the machine", func(s *doctor.CacheServer) { s.MaxMemory = 2 << 30 }, doctor.Warn, "2 GB of the machine's 2 GB"},
		{"full and then no more", func(s *doctor.CacheServer) { s.Policy = "noeviction" }, doctor.Bad, "refused"},
		{"another policy", func(s *doctor.CacheServer) { s.Policy = "allkeys-lru" }, doctor.Warn, "allkeys-lru"},
		{"dumps", func(s *doctor.CacheServer) { s.Saves = true }, doctor.Warn, "disk"},
		{"replicas", func(s *doctor.CacheServer) { s.Replicas = 2 }, doctor.Warn, "2 replicas"},
		{"everybody", func(s *doctor.CacheServer) { s.Unlimited, s.User = true, "default" }, doctor.Warn, "user default may do everything"},
		{"not allowed", func(s *doctor.CacheServer) { s.Denied = "SET keys" }, doctor.Bad, "may not SET keys"},
		{"much makes room", func(s *doctor.CacheServer) { s.Evicted, s.Used = 2_000_000, 1<<30 }, doctor.Warn, "would take about"},
	} {
		s := healthy
		tt.damage(&s)
		checks := doctor.CheckCaches([]doctor.CacheServer{s}, day)
		found := false
		for _, c := range checks {
			if c.Level == tt.level && strings.Contains(c.Found, tt.found) {
				found = true
				if c.Fix == "" {
					t.Errorf("%s: it does not say what to do", tt.name)
				}
			}
		}
		if !found || doctor.Worst(checks) != tt.level {
			t.Errorf("%s: want %s with %q in %+v", tt.name, tt.level, tt.found, checks)
		}
	}
}
