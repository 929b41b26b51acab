package main

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/pandobase/pando/server"
)

// config makes a server's configuration of settings. Its errors name the
// setting, where it came from, and what would do.
func (s *settings) config() (server.Config, error) {
	cfg := server.Config{
		Dir: s.String("dir"), Database: s.String("database"), HTTP: s.String("http"), Admin: s.String("admin"),
		Blob: s.String("blob"), BlobKey: s.blob.key, BlobSecret: s.blob.secret, BlobToken: s.blob.token,
		PublicDir: s.String("public-dir"), PagesDir: s.String("pages-dir"), Version: version(),
		ClusterSecret: s.cluster, Advertise: s.String("advertise"), Cache: s.String("cache"),
	}
	if s.origin["admin"] == "default" {
		cfg.Admin = "" // then any free port will do
	}
	cfg.TLS = s.tls()
	if s.origin["http"] == "default" {
		cfg.HTTP = "" // it follows whether there are domains
	}
	var err error
	if cfg.CacheSize, err = cacheSize(s.String("cache-size")); err != nil {
		return cfg, s.wrong("cache-size", err)
	}
	if v := s.String("readers"); v != "auto" {
		if cfg.Readers, err = strconv.Atoi(v); err != nil || cfg.Readers < 1 {
			return cfg, s.wrong("readers", fmt.Errorf("%q is no number of readers: write auto, or 1 or more", v))
		}
	}
	if cfg.Reload, err = strconv.ParseBool(s.String("reload")); err != nil {
		return cfg, s.wrong("reload", fmt.Errorf("%q is neither true nor false", s.String("reload")))
	}
	if cfg.Direct, err = strconv.ParseBool(s.String("direct")); err != nil {
		return cfg, s.wrong("direct", fmt.Errorf("%q is neither true nor false", s.String("direct")))
	}
	if cfg.QueryTimeout, err = seconds(s.String("query-timeout")); err != nil || cfg.QueryTimeout <= 0 {
		return cfg, s.wrong("query-timeout", fmt.Errorf("%q is no time above 0: write for example 30s or 2m", s.String("query-timeout")))
	}
	if cfg.WriteWait, err = seconds(s.String("write-wait")); err != nil || cfg.WriteWait <= 0 {
		return cfg, s.wrong("write-wait", fmt.Errorf("%q is no time above 0: write for example 5s", s.String("write-wait")))
	}
	if cfg.ReadWait, err = seconds(s.String("read-wait")); err != nil || cfg.ReadWait <= 0 {
		return cfg, s.wrong("read-wait", fmt.Errorf("%q is no time above 0: write for example 2s", s.String("read-wait")))
	}
	if cfg.OverloadLatency, err = overloadLatency(s.String("overload-latency")); err != nil {
		return cfg, s.wrong("overload-latency", err)
	}
	if cfg.CacheTTL, err = seconds(s.String("cache-ttl")); err != nil || cfg.CacheTTL <= 0 {
		return cfg, s.wrong("cache-ttl", fmt.Errorf("%q is no time above 0: write for example 24h", s.String("cache-ttl")))
	}
	if cfg.ShadowReads, err = shadowReads(s.String("shadow-reads")); err != nil {
		return cfg, s.wrong("shadow-reads", err)
	}
	switch s.String("degraded") {
	case "stale":
	case "fail":
		cfg.RefuseDegraded = true
	default:
		return cfg, s.wrong("degraded", fmt.Errorf("%q is neither stale nor fail", s.String("degraded")))
	}
	if cfg.StopTimeout, err = time.ParseDuration(s.String("stop-timeout")); err != nil || cfg.StopTimeout <= 0 {
		return cfg, s.wrong("stop-timeout", fmt.Errorf("%q is no time above 0: write for example 10s or 1m", s.String("stop-timeout")))
	}
	for _, origin := range commas(s.String("origins")) {
		if origin != "*" {
			cfg.Origins = append(cfg.Origins, origin)
		}
	}
	if err := cfg.Check(); err != nil {
		return cfg, usageError{err}
	}
	return cfg, nil
}

// tls is how the public address speaks HTTPS.
func (s *settings) tls() server.TLS {
	t := server.TLS{
		Domains: commas(s.String("domains")), HTTPS: s.String("https"), Cert: s.String("tls-cert"), Key: s.String("tls-key"),
		ACMEEmail: s.String("acme-email"), ACMERoot: s.String("acme-root"),
	}
	if s.origin["acme-directory"] != "default" {
		t.ACMEDirectory = s.String("acme-directory")
	}
	return t
}

// seconds reads a time; a bare number counts seconds, as PocketBase has it.
func seconds(text string) (time.Duration, error) {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	return time.ParseDuration(text)
}

// overloadLatency reads a time as Config.OverloadLatency has it.
func overloadLatency(text string) (time.Duration, error) {
	if text == server.Off {
		return -1, nil
	}
	d, err := seconds(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no time above 0: write for example 250ms, or off", text)
	}
	return d, nil
}

func (s *settings) wrong(name string, err error) error {
	return usageError{fmt.Errorf("%s (from %s): %w", name, s.origin[name], err)}
}

// cacheSize reads a number of bytes as Config.CacheSize has it.
func cacheSize(text string) (int64, error) {
	switch strings.ToLower(text) {
	case "auto":
		return 0, nil
	case server.Off, "0":
		return -1, nil
	}
	n, err := humanize.ParseBytes(text)
	if err != nil || n > 1<<50 {
		return 0, fmt.Errorf("%q is no size: write auto, off, or a size like 64MB or 1GiB", text)
	}
	return int64(n), nil
}

// shadowReads reads a share as Config.ShadowReads has it.
func shadowReads(text string) (int, error) {
	if text == server.Off || text == "0" {
		return -1, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is no share: write 1000 for one in 1,000 answers, or off", text)
	}
	return int(n), nil
}

func (s *settings) logLevel() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.String("log-level"))); err != nil {
		return level, s.wrong("log-level", fmt.Errorf("%q is no level: write debug, info, warn or error", s.String("log-level")))
	}
	return level, nil
}
