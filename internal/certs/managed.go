package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"
)

// acmeALPN is what an authority speaks that asks by tls-alpn-01.
const acmeALPN = "acme-tls/1"

// storageRetry is how soon a storage that failed is asked again.
const storageRetry = time.Second

// patience is how many failures are nothing to speak of: a load balancer that has just
// started finds its cluster.
const patience = 5

// managed are certificates of an ACME authority.
type managed struct {
	cfg Config

	once   sync.Once // guards the making of the three below: the cache has a goroutine
	cache  *certmagic.Cache
	magic  *certmagic.Config
	issuer *certmagic.ACMEIssuer

	mu       sync.Mutex
	problems map[string]string // by name
}

func newManaged(cfg Config) *managed { return &managed{cfg: cfg, problems: map[string]string{}} }

// begin makes what a name's certificate is looked after with.
func (m *managed) begin() { m.once.Do(m.make) }

func (m *managed) make() {
	cfg := m.cfg
	logger := zap.New(logCore{cfg.Log.Handler()})
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return m.magic, nil },
		Logger:           logger,
	})
	m.magic = certmagic.New(m.cache, certmagic.Config{
		Storage: cfg.Storage, Logger: logger, OnEvent: m.event,
		DefaultServerName: cfg.Domains[0], // for probes, which name an address
	})
	m.issuer = certmagic.NewACMEIssuer(m.magic, certmagic.ACMEIssuer{
		CA: cfg.Directory, Email: cfg.Email, Agreed: true, TrustedRoots: cfg.Roots,
		AltHTTPPort: cfg.HTTPPort, AltTLSALPNPort: cfg.HTTPSPort, Logger: logger,
	})
	m.magic.Issuers = []certmagic.Issuer{m.issuer}
}

// run has certmagic look after each name. It tries again by itself what the
// authority refuses, but gives up where the storage cannot be read.
func (m *managed) run(ctx context.Context) {
	m.begin()
	var all sync.WaitGroup
	for _, domain := range m.cfg.Domains {
		all.Go(func() {
			for tries := 0; !m.readable(ctx, domain, tries); tries++ {
				select {
				case <-ctx.Done():
					return
				case <-time.After(storageRetry):
				}
			}
			if err := m.magic.ManageAsync(ctx, []string{domain}); err != nil {
				m.note(domain, err)
			}
		})
	}
	all.Wait()
	<-ctx.Done()
}

// readable takes what the storage has for a name, if it can be read.
func (m *managed) readable(ctx context.Context, domain string, tries int) bool {
	_, err := m.magic.CacheManagedCertificate(ctx, domain)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		m.note(domain, nil)
		return true
	}
	if ctx.Err() == nil {
		m.note(domain, fmt.Errorf("certificates cannot be read where they are kept: %w", err))
		if tries == patience {
			m.cfg.Log.Warn("certificates cannot be read where they are kept; trying on", "domain", domain, "err", err)
		}
	}
	return false
}

// event hears from certmagic.
func (m *managed) event(_ context.Context, event string, data map[string]any) error {
	domain, _ := data["identifier"].(string)
	switch event {
	case "cert_failed":
		err, _ := data["error"].(error)
		m.note(domain, err)
	case "cert_obtained":
		m.note(domain, nil)
	}
	return nil
}

func (m *managed) note(domain string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.problems, domain)
	if refusal := (acme.Problem{}); errors.As(err, &refusal) && refusal.Detail != "" {
		m.problems[domain] = "the authority says: " + refusal.Detail
	} else if err != nil {
		m.problems[domain] = err.Error()
	}
}

func (m *managed) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	m.begin()
	return m.magic.GetCertificate(hello)
}

func (m *managed) protocols() []string { return []string{acmeALPN} }

func (m *managed) challenge(w http.ResponseWriter, r *http.Request) bool {
	m.begin()
	return m.issuer.HandleHTTPChallenge(w, r)
}

func (m *managed) status(domain string) Status {
	m.begin()
	s := Status{Domain: domain}
	for _, c := range m.cache.AllMatchingCertificates(domain) {
		if c.Leaf != nil && c.Leaf.NotAfter.After(s.Expires) {
			s.Expires, s.Issuer = c.Leaf.NotAfter, c.Leaf.Issuer.CommonName
		}
	}
	m.mu.Lock()
	s.Problem = m.problems[domain]
	m.mu.Unlock()
	switch now := time.Now(); {
	case s.Problem != "":
	case s.Expires.IsZero():
		s.Problem = "there is no certificate yet: the authority has been asked"
	case s.Expires.Before(now):
		s.Problem = fmt.Sprintf("the certificate has ended %s ago", now.Sub(s.Expires).Round(time.Minute))
	}
	return s
}

func (m *managed) reload() error { return nil }

// close ends what was begun, if it was; nothing begins afterwards.
func (m *managed) close() {
	m.begin()
	m.cache.Stop()
}
