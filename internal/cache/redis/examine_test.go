package redis_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/cache/redis"
	"github.com/pandobase/pando/internal/doctor"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
)

// TestExamine: what pando doctor is told of servers as they should be, and not.
func TestExamine(t *testing.T) {
	good := localclustertest.Redis(t, 2, localcluster.RedisOptions{User: "pando", Password: "secret", TLS: true})
	tier := open(t, good[0].URL()+"?ca="+good[0].CAFile())
	fill(t, tier, 50)
	servers := redis.Examine(t.Context(), parse(t, good[0].URL()+"?ca="+good[0].CAFile()))
	s := servers[0]
	if s.Error != nil || s.Version == "" || s.MaxMemory != 64<<20 || s.Policy != "allkeys-lfu" || s.Saves || s.Unlimited || s.Denied != "" ||
		s.Keys < 50 || s.User != "pando" || s.Trip <= 0 || s.Used <= s.Empty {
		t.Errorf("a server as it should be: %+v", s)
	}
	if checks := doctor.CheckCaches(servers, 24*time.Hour); doctor.Worst(checks) != doctor.OK {
		t.Errorf("a server as it should be: %+v", checks)
	}
	bad := localclustertest.Redis(t, 1, localcluster.RedisOptions{MaxMemory: "0", Settings: map[string]string{
		"save": "3600 1", "appendonly": "yes", "maxmemory-policy": "noeviction",
	}})[0]
	if s := redis.Examine(t.Context(), parse(t, bad.URL()))[0]; s.Error != nil || s.MaxMemory != 0 || !s.Saves || !s.Unlimited || s.User != "default" {
		t.Errorf("a server as it comes: %+v", s)
	}
	command(t, bad, "ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@read", "+ping", "+info", "+hello", "+auth")
	if s := redis.Examine(t.Context(), parse(t, "redis://reader:secret@"+bad.Addr()))[0]; s.Error != nil || !strings.Contains(s.Denied, "SET") {
		t.Errorf("a user who may only read: %+v", s)
	}
	if err := bad.Kill(); err != nil {
		t.Fatal(err)
	}
	if s := redis.Examine(t.Context(), parse(t, bad.URL()))[0]; s.Error == nil {
		t.Errorf("a dead server: %+v", s)
	}
}
