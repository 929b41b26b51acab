package server

import (
	"reflect"

	"github.com/pandobase/pando"
)

// Reload takes over what of cfg can change while the server runs: the hosts of
// its database, the cache servers if there are some, and what lies in the files of its certificate. Anything else that differs is logged, and waits for the next
// start. An error leaves everything as it is.
func (s *Server) Reload(cfg Config) error {
	if err := cfg.Check(); err != nil {
		return err
	}
	cfg = cfg.withDefaults()
	if (cfg.Database == "") != (s.cfg.Database == "") {
		return pando.Invalid("The database cannot change between SQLite and PostgreSQL while the server runs: copy the data with `pando import pando`, then restart.")
	}
	if cfg.Database != s.cfg.Database {
		if err := s.parts.store.reload(cfg.Database); err != nil {
			return err
		}
		s.log.Info("configuration read again", "database", MaskDatabase(cfg.Database))
		s.cfg.Database = cfg.Database
	}
	if cfg.Cache != s.cfg.Cache && cfg.Cache != "" && s.parts.tier != nil {
		if err := s.parts.reloadTier(cfg.Cache); err != nil {
			return err
		}
		s.log.Info("configuration read again", "cache", MaskCache(cfg.Cache))
		s.cfg.Cache = cfg.Cache
	}
	if c := s.certs.Load(); c != nil {
		if err := c.Reload(); err != nil {
			return err
		}
	}
	for _, name := range append(changedFields(s.cfg, cfg), changedFields(s.cfg.TLS, cfg.TLS)...) {
		s.log.Warn("a changed setting waits for the next start", "setting", name)
	}
	return nil
}

// changedFields names the plain values that differ.
func changedFields[T any](a, b T) (names []string) {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range x.NumField() {
		switch x.Field(i).Kind() {
		case reflect.String, reflect.Int, reflect.Int64, reflect.Bool, reflect.Slice:
			if !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
				names = append(names, x.Type().Field(i).Name)
			}
		}
	}
	return names
}
