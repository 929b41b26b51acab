package cluster

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/cluster"
	"github.com/pandobase/pando/test/target"
)

// impostor listens where a row of the registry says that a server is, and takes whatever it
// is offered. It says that it is that server, by another secret than the cluster's.
type impostor struct {
	address string
	calls   atomic.Int64 // connections that began to talk
	talks   atomic.Int64 // of which it has got more than the beginning
}

func impersonate(t *testing.T, id string) *impostor {
	t.Helper()
	secret, err := cluster.NewSecret("a-secret-of-somebody-else")
	must(t, err)
	own, err := secret.TLS(cluster.Who{Role: cluster.RoleWeb, ID: id}, "", cluster.RoleWeb)
	must(t, err)
	config := own.Server()
	config.ClientAuth, config.VerifyConnection = tls.NoClientCert, nil
	config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		fits := config.Clone()
		fits.NextProtos = h.SupportedProtos
		return fits, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	i := &impostor{address: l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			} else if err != nil {
				continue
			}
			all.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(5 * time.Second))
				i.calls.Add(1)
				// Who believes it would end the handshake, and go on.
				talk := tls.Server(c, config)
				if err := talk.Handshake(); err == nil {
					i.talks.Add(1)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return i
}

// TestARowThatPointsElsewhere: somebody writes into the registry that there is one more
// server, and that the one who reads the log is where it is not. The load balancer and a
// server that comes again look there, find who does not have the secret, and tell him
// nothing. Reads and writes go on meanwhile, and nobody is shown the past.
func TestARowThatPointsElsewhere(t *testing.T) {
	s := newStage(t, target.ClusterOptions{Replicas: 1, Caches: 1})
	lb := &target.Member{Server: s.StartBalancer(t, "--database", s.URL(s.Database, "postgres"))}
	tailer, others := s.tailer(t)
	again, other := others[0], others[1]
	sql := func(format string, args ...any) string {
		t.Helper()
		text, err := s.SQL(t.Context(), fmt.Sprintf(format, args...))
		must(t, err)
		return text
	}
	const stranger = "00000000000000000000000000000bad"
	reader := sql("SELECT holder FROM _pando_tailer")
	impostors := map[string]*impostor{"a server that there is not": impersonate(t, stranger), "who reads the log": impersonate(t, reader)}

	s.warm(t, 3, 0)
	w := s.watchingBut(t, 3, func(m *target.Member) bool { return m == again || m == lb }, append(s.Members, lb)...)
	n := int64(0)
	write := func() { // by both that are left
		for _, m := range []*target.Member{tailer, other} {
			n++
			s.set(t, m, int(n)%3, n)
			w.answered(int(n)%3, n)
		}
	}
	write()

	sql(`INSERT INTO _pando_members (id, boot, address, version, format, beat)
		SELECT '%s', 'b', '%s', version, format, beat FROM _pando_members LIMIT 1;
		UPDATE _pando_members SET address = '%s' WHERE id = '%s'`,
		stranger, impostors["a server that there is not"].address, impostors["who reads the log"].address, reader)
	again.Kill()
	back := make(chan error, 1)
	go func() { back <- again.Restart(t.Context()) }()
	for what, i := range impostors {
		soon(t, "somebody looks for "+what, func() bool {
			sql("UPDATE _pando_members SET beat = beat + 1 WHERE id = '%s'", stranger) // as if it lived
			write()
			return i.calls.Load() > 1
		})
	}
	before := w.answers.Load()
	write()
	soon(t, "reads go on", func() bool { return w.answers.Load() > before+50 })

	sql("DELETE FROM _pando_members WHERE id = '%s'; UPDATE _pando_members SET address = '%s' WHERE id = '%s'", stranger, tailer.Private, reader)
	must(t, <-back)
	s.ready(t)
	write()
	soon(t, "the load balancer sends requests on", func() bool { _, _, ok := s.try(t.Context(), lb, 0, ""); return ok })
	w.end()
	for i := range 3 {
		s.everywhere(t, i, n-(n-int64(i)+3)%3)
	}
	for what, i := range impostors {
		t.Logf("%d looked for %s", i.calls.Load(), what)
		if talks := i.talks.Load(); talks > 0 {
			t.Errorf("%d of them believe whom they have found", talks)
		}
	}
	t.Logf("%d writes, %d answers, %d refused", n, w.answers.Load(), w.refused.Load())
}
