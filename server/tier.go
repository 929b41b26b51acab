package server

import (
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/cache/redis"
	"github.com/pandobase/pando/internal/cluster"
	"github.com/pandobase/pando/internal/records"
	"github.com/pandobase/pando/internal/store/cached"
)

// minCacheTTL is the shortest time for which it is worth to keep an answer.
const minCacheTTL = time.Minute

// checkTier finds what cannot be right about the cache servers.
func (c Config) checkTier() error {
	if c.CacheTTL != 0 && c.CacheTTL < minCacheTTL {
		return pando.Invalid("--cache-ttl: %v is too short: leave it out, or give a minute or more, for example 24h.", c.CacheTTL)
	}
	if c.Cache == "" {
		return nil
	}
	if _, err := redis.ParseURL(c.Cache); err != nil {
		return pando.Invalid("--cache: %v.", err)
	}
	switch {
	case c.Database == "":
		return pando.Invalid("--cache names the cache servers that several Pando servers share, on one PostgreSQL database (--database). A single server on SQLite keeps its cache in its own memory: leave --cache out.")
	case c.ClusterSecret == "":
		return pando.Invalid("--cache needs the cluster's secret, by which what lies on the cache servers is sealed: set PANDO_CLUSTER_SECRET (or PANDO_CLUSTER_SECRET_FILE) to at least 16 characters, the same on every server. `openssl rand -hex 32` makes a good one.")
	case c.CacheSize < 0:
		return pando.Invalid("--cache stands behind the cache in memory, which --cache-size off switches off: leave one of them out.")
	}
	return nil
}

// MaskCache is the address of the cache servers as people may see it: without passwords.
func MaskCache(cache string) string {
	if cache == "" {
		return ""
	}
	return redis.Mask(cache)
}

// useTier puts the cache servers behind the cache in memory, and has some of what
// both answer read again. Both secrets of a rotation are one too many: it is the
// first that seals.
func (p *parts) useTier(cfg Config, secret *cluster.Secret) error {
	if p.cached == nil {
		if cfg.Cache != "" {
			cfg.Log.Warn("The cache servers are not used: without the database's log, nothing says of a cached answer that it holds no longer. `pando doctor` says what is missing.")
		}
		return nil
	}
	o := cached.Options{Codec: records.Codec{}, ShadowEvery: max(cfg.ShadowReads, 0), Log: cfg.Log}
	if cfg.Cache != "" && secret != nil {
		servers, err := redis.ParseURL(cfg.Cache)
		if err != nil {
			return err
		}
		p.tier, err = redis.New(redis.Options{
			Config: servers, Secret: secret.Key("cache tier", 32), TTL: cfg.CacheTTL, Log: cfg.Log,
		})
		if err != nil {
			return err
		}
		p.closers = append(p.closers, p.tier.Close)
		o.Tier = p.tier
	}
	p.cached.Use(o)
	p.closers = append(p.closers, p.cached.Close) // its reads end before the store
	return nil
}

// reloadTier takes over other cache servers.
func (p *parts) reloadTier(cache string) error {
	servers, err := redis.ParseURL(cache)
	if err != nil {
		return err
	}
	p.tier.SetServers(servers)
	return nil
}
