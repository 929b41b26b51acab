package postgres

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pandobase/pando/internal/doctor"
)

// examineBound is how long one host may take to tell everything.
const examineBound = 5 * time.Second

// Examine asks every host of a URL what doctor.CheckDatabase judges. Nothing is
// changed. A host that does not answer is in the result, with the reason.
func Examine(ctx context.Context, url string) ([]doctor.Host, error) {
	opts := Options{URL: url}
	opts.complete()
	addresses, err := parseURL(url, &opts)
	if err != nil {
		return nil, err
	}
	hosts := make([]doctor.Host, len(addresses))
	var wg sync.WaitGroup
	for i, a := range addresses {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, examineBound)
			defer cancel()
			h, err := examine(ctx, a, &opts)
			if h.Name = a.host; err != nil {
				h.Error = errors.New(maskIn(shortReason(err), url))
			}
			hosts[i] = h
		})
	}
	wg.Wait()
	return hosts, nil
}

// factsSQL gives what one row tells of a host.
const factsSQL = `SELECT current_setting('server_version_num'), pg_is_in_recovery(),
	(SELECT system_identifier FROM pg_control_system()), (SELECT timeline_id FROM pg_control_checkpoint()),
	(SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()),
	(SELECT count(*) FROM pg_stat_replication s WHERE state = 'streaming' AND NOT EXISTS (
		SELECT FROM pg_replication_slots l WHERE l.active_pid = s.pid AND l.slot_type = 'logical')), -- which is no standby
	(SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')),
	EXISTS (SELECT 1 FROM pg_stat_wal_receiver),
	(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
	r.rolsuper, r.rolreplication, pg_has_role(r.oid, 'pg_monitor', 'MEMBER'),
	coalesce(has_schema_privilege(r.oid, current_schema(), 'CREATE'), false),
	` + leftSQL + `,
	has_database_privilege(current_database(), 'CREATE') OR EXISTS (SELECT FROM pg_publication WHERE pubname = (` + publicationSQL + `)),
	quote_ident(current_database()), CASE WHEN to_regclass('_pando_members') IS NOT NULL THEN quote_ident(current_schema()) END
	FROM pg_roles r WHERE r.rolname = current_user`

func examine(ctx context.Context, a address, opts *Options) (h doctor.Host, err error) {
	p := newPool(a.cfg, 1, opts.PoolWait, nil)
	defer p.drain()
	defer p.retire(false)
	c, err := p.acquire(ctx)
	if err != nil {
		return h, err
	}
	defer p.release(c)
	h.Pooler = c.unnamed
	err = c.each(ctx, factsSQL, func(v [][]byte) error {
		number := func(i int) uint64 {
			n, _ := strconv.ParseUint(string(v[i]), 10, 64) // NULL is 0
			return n
		}
		yes := func(i int) bool { return string(v[i]) == "t" }
		h.Version, h.InRecovery, h.System, h.Timeline = int(number(0)), yes(1), number(2), uint32(number(3))
		h.Encoding = string(v[4])
		h.Standbys, h.SyncStandbys, h.Streams, h.Connections = int(number(5)), int(number(6)), yes(7), int(number(8))
		h.Superuser, h.Replication, h.Monitor, h.Writable = yes(9), yes(10), yes(11), yes(12)
		h.Slots, h.Senders = int(int64(number(13))), int(int64(number(14)))
		h.Publishes = yes(15)
		h.Database, h.Schema = string(v[16]), string(v[17])
		return nil
	})
	if err != nil {
		return h, err
	}
	h.Settings = make(map[string]string)
	err = c.each(ctx, "SELECT name, setting FROM pg_settings WHERE name = ANY (string_to_array($1, ','))", func(v [][]byte) error {
		h.Settings[string(v[0])] = string(v[1])
		return nil
	}, strings.Join(doctor.SettingNames, ","))
	if err != nil {
		return h, err
	}
	most, _ := strconv.Atoi(h.Settings["max_connections"])
	reserved, _ := strconv.Atoi(h.Settings["superuser_reserved_connections"])
	h.Pool = poolSize(most - reserved)
	return h, clock(ctx, c, &h)
}

// clock compares the host's clock with ours, three times: the shortest round trip
// says most.
func clock(ctx context.Context, c *conn, h *doctor.Host) error {
	for range 3 {
		began := time.Now()
		var theirs float64
		err := c.each(ctx, "SELECT extract(epoch FROM clock_timestamp())", func(v [][]byte) (err error) {
			theirs, err = strconv.ParseFloat(string(v[0]), 64)
			return err
		})
		if err != nil {
			return err
		}
		trip := time.Since(began)
		if h.Trip == 0 || trip < h.Trip {
			h.Trip = trip
			h.ClockAhead = time.UnixMicro(int64(theirs * 1e6)).Sub(began.Add(trip / 2))
		}
	}
	return nil
}
