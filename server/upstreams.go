package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/cluster"
	"github.com/pandobase/pando/internal/lb"
	"github.com/pandobase/pando/internal/store/postgres"
)

// members are the upstreams of a balancer that finds the web servers of a cluster by
// itself: it asks any of them, or reads the database.
type members struct {
	front    *cluster.Front
	join     []string // private addresses of some members
	database string   // or the database's URL
	log      *slog.Logger
	secret   *cluster.Secret
	told     atomic.Pointer[[]cluster.Member] // the last ones; nil: none yet
}

var _ lb.Source = (*members)(nil)

// checkSource says what of the places where upstreams come from cannot be.
func (cfg BalancerConfig) checkSource() error {
	if len(cfg.Upstreams) > 0 && len(cfg.Join) > 0 {
		return pando.Invalid("--upstream lists the web servers and --join finds them: use one of both.")
	}
	if len(cfg.Upstreams) > 0 {
		return nil
	}
	if len(cfg.Join) == 0 && cfg.Database == "" {
		return pando.Invalid("There is no upstream: name the web servers with --upstream HOST:PORT,HOST:PORT, or have those of a cluster found with --join HOST:PORT (the private address of any) or --database.")
	}
	for _, address := range cfg.Join {
		if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
			return pando.Invalid("--join: %q is no address: write HOST:PORT, what --advertise is on a web server, for example 10.0.0.11:8100.", address)
		}
	}
	if cfg.ClusterSecret == "" {
		return pando.Invalid("A load balancer finds the servers of a cluster only if it has their secret: set PANDO_CLUSTER_SECRET, or PANDO_CLUSTER_SECRET_FILE, as on them.")
	}
	return nil
}

// source finds upstreams; nil if they are listed.
func (cfg BalancerConfig) source(log *slog.Logger) (lb.Source, error) {
	if err := cfg.checkSource(); err != nil || len(cfg.Upstreams) > 0 {
		return nil, err
	}
	secret, err := cluster.NewSecret(cfg.ClusterSecret)
	if err != nil {
		return nil, err
	}
	var random [4]byte
	rand.Read(random[:]) // it cannot fail
	host, err := os.Hostname()
	if err != nil {
		host = "lb"
	}
	m := &members{join: cfg.Join, log: log, secret: secret}
	if len(cfg.Join) == 0 {
		m.database = cfg.Database
		r, err := postgres.OpenRoster(cfg.Database)
		if err := errors.Join(err, closeRoster(r)); err != nil { // only that the URL can be read
			return nil, err
		}
	}
	m.front, err = secret.Front(host + "-" + hex.EncodeToString(random[:]))
	return m, err
}

func closeRoster(r *postgres.Roster) error {
	if r == nil {
		return nil
	}
	return r.Close()
}

// Follow implements lb.Source.
func (m *members) Follow(ctx context.Context, set func([]lb.Upstream)) error {
	tell := func(list []cluster.Member) {
		m.told.Store(&list)
		set(m.upstreams(list))
	}
	if m.database == "" {
		return m.front.Follow(ctx, m.join, m.log, tell)
	}
	r, err := postgres.OpenRoster(m.database)
	if err != nil {
		return err
	}
	defer r.Close()
	return cluster.FollowRegistry(ctx, r.Members, m.log, tell)
}

// known are members to ask something of our own, who is up before who goes.
func (m *members) known() (list []cluster.Member) {
	if told := m.told.Load(); told != nil {
		for _, w := range *told {
			if w.Address != "" {
				list = append(list, w)
			}
		}
		slices.SortStableFunc(list, func(a, b cluster.Member) int { return cmp.Compare(draining(a), draining(b)) })
		return list
	}
	for _, address := range m.join {
		list = append(list, cluster.Member{Address: address})
	}
	return list
}

func draining(m cluster.Member) int {
	if m.Draining {
		return 1
	}
	return 0
}

// upstreams are members as the balancer knows them. One without an address has no
// secret, and is alone.
func (m *members) upstreams(list []cluster.Member) (ups []lb.Upstream) {
	for _, w := range list {
		if w.Address == "" {
			continue
		}
		ups = append(ups, lb.Upstream{
			ID: w.ID, Address: w.Address, Draining: w.Draining, Load: w.Load, Since: time.Now().Add(-w.Age),
			Dial: func(ctx context.Context) (net.Conn, error) { return m.front.Dial(ctx, w.Address, w.ID) },
		})
	}
	return ups
}
