package postgres

import (
	"context"
	"encoding/hex"
	"strconv"
	"time"
)

// Certificates are the rows in which servers and load balancers share certificates:
// the rows of internal/certs. What is in them is sealed by whoever writes them.
type Certificates struct{ r Registry }

// Certificates are those of the store's database.
func (s *Store) Certificates() Certificates { return Certificates{s.Registry()} }

// Put implements certs.Rows.
func (c Certificates) Put(ctx context.Context, key string, value []byte) error {
	return c.r.commit(ctx, &query{
		sql: `INSERT INTO _pando_certificates VALUES ($1, decode($2, 'hex'), clock_timestamp())
			ON CONFLICT (key) DO UPDATE SET value = excluded.value, changed = excluded.changed`,
		args: texts(key, hex.EncodeToString(value)),
	})
}

// Get implements certs.Rows.
func (c Certificates) Get(ctx context.Context, key string) (value []byte, changed time.Time, ok bool, err error) {
	err = c.r.run(ctx, &query{
		text: true,
		sql:  "SELECT encode(value, 'hex'), (extract(epoch FROM changed) * 1000000)::bigint FROM _pando_certificates WHERE key = $1",
		args: texts(key),
		row: func(_ *query, v [][]byte) (err error) {
			ok = true
			if value, err = hex.DecodeString(string(v[0])); err != nil {
				return err
			}
			micros, err := strconv.ParseInt(string(v[1]), 10, 64)
			changed = time.UnixMicro(micros)
			return err
		},
	})
	return value, changed, ok, err
}

// below tells whether a row's key is in the directory $1. ^@ is starts_with.
const below = "($1 = '' OR key ^@ ($1 || '/'))"

// Keys implements certs.Rows.
func (c Certificates) Keys(ctx context.Context, dir string) (keys []string, err error) {
	err = c.r.run(ctx, &query{
		text: true, sql: "SELECT key FROM _pando_certificates WHERE " + below + " ORDER BY key", args: texts(dir),
		row: func(_ *query, v [][]byte) error {
			keys = append(keys, string(v[0]))
			return nil
		},
	})
	return keys, err
}

// Remove implements certs.Rows.
func (c Certificates) Remove(ctx context.Context, key string) error {
	return c.r.commit(ctx, &query{
		sql: "DELETE FROM _pando_certificates WHERE key = $1 OR " + below, args: texts(key),
	})
}

// Claim implements certs.Rows.
func (c Certificates) Claim(ctx context.Context, name, holder string, d time.Duration) (bool, error) {
	q := &query{
		sql: `INSERT INTO _pando_certificate_locks AS l VALUES ($1, $2, clock_timestamp() + $3::bigint * interval '1 microsecond')
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder,
				until = CASE WHEN l.holder = excluded.holder THEN greatest(l.until, excluded.until) ELSE excluded.until END
			WHERE l.holder = excluded.holder OR l.until < clock_timestamp()`,
		args: texts(name, holder, strconv.FormatInt(d.Microseconds(), 10)),
	}
	err := c.r.commit(ctx, q)
	return err == nil && q.rows() == 1, err
}

// Release implements certs.Rows.
func (c Certificates) Release(ctx context.Context, name, holder string) error {
	return c.r.commit(ctx, &query{
		sql: "DELETE FROM _pando_certificate_locks WHERE name = $1 AND holder = $2", args: texts(name, holder),
	})
}
