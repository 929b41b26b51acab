package redis

import (
	"context"
	"crypto/rand"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/pandobase/pando/internal/doctor"
)

// examineBound is how long one server may take to tell all of itself.
const examineBound = 5 * time.Second

// Examine asks every server what it is and how it is set up.
func Examine(ctx context.Context, c Config) []doctor.CacheServer {
	servers := make([]doctor.CacheServer, len(c.Servers))
	var wg sync.WaitGroup
	for i, at := range c.Servers {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, examineBound)
			defer cancel()
			s, err := examine(ctx, at, c)
			if s.Name = at.Name; err != nil {
				s.Error = err
			}
			servers[i] = s
		})
	}
	wg.Wait()
	return servers
}

func examine(ctx context.Context, at Address, c Config) (s doctor.CacheServer, err error) {
	o := c.option(at)
	o.Dialer.Timeout, o.ConnWriteTimeout = examineBound, examineBound
	client, err := rueidis.NewClient(o)
	if err != nil {
		return s, err
	}
	defer client.Close()
	do := func(args ...string) (string, error) {
		return client.Do(ctx, client.B().Arbitrary(args...).Build()).ToString()
	}
	began := time.Now()
	if _, err := do("PING"); err != nil {
		return s, err
	}
	s.Trip, s.TLS, s.User = time.Since(began), c.TLS != nil, c.User
	if s.User == "" {
		s.User = "default"
	}
	text, err := do("INFO")
	if err != nil {
		if _, refused := rueidis.IsRedisErr(err); refused {
			s.Denied = "ask for INFO"
			return s, nil
		}
		return s, err
	}
	note(&s, infoOf(text))
	s.Saves = s.Saves || saves(ctx, client)
	s.Denied, err = tryOut(do)
	// Whoever may list the users may do more than a cache does.
	_, listErr := do("ACL", "WHOAMI")
	s.Unlimited = listErr == nil
	return s, err
}

// note takes what INFO says.
func note(s *doctor.CacheServer, info map[string]string) {
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(info[name], 10, 64)
		return n
	}
	s.Version = info["redis_version"]
	if v := info["valkey_version"]; v != "" {
		s.Version, s.Valkey = v, true
	}
	s.MaxMemory, s.Policy = number("maxmemory"), info["maxmemory_policy"]
	s.SystemMemory, s.Used, s.Empty = number("total_system_memory"), number("used_memory"), number("used_memory_startup")
	s.Saves = number("aof_enabled") != 0
	s.Replicas = int(number("connected_slaves"))
	s.Evicted, s.Up = number("evicted_keys"), time.Duration(number("uptime_in_seconds"))*time.Second
	for _, part := range strings.Split(info["db0"], ",") { // keys=1,expires=1,avg_ttl=…
		if n, ok := strings.CutPrefix(part, "keys="); ok {
			s.Keys, _ = strconv.ParseInt(n, 10, 64)
		}
	}
}

// saves tells whether dumps are made; it takes no for an answer.
func saves(ctx context.Context, client rueidis.Client) bool {
	set, err := client.Do(ctx, client.B().ConfigGet().Parameter("save").Build()).AsStrMap()
	return err == nil && set["save"] != ""
}

// tryOut does what the tier does, under a name of its own, and says what may not
// be done.
func tryOut(do func(...string) (string, error)) (denied string, err error) {
	name := prefix + "doctor:" + rand.Text()
	for _, args := range [][]string{{"SET", name, "", "PX", "1000"}, {"GETRANGE", name, "0", "-1"}, {"DEL", name}} {
		_, err := do(args...)
		if refusal, ok := rueidis.IsRedisErr(err); ok && strings.HasPrefix(refusal.Error(), "NOPERM") {
			return args[0] + " keys that begin with " + prefix, nil
		}
		if isLate(err) {
			return "", err
		}
	}
	return "", nil
}

// infoOf reads the lines name:value of INFO.
func infoOf(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if ok && !strings.HasPrefix(name, "#") {
			out[name] = value
		}
	}
	return out
}
