package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/pandobase/pando/bench/internal/load"
)

const tlsName = "app.example"

// certificate is one of this run's, in files: with its chain, its key, and both.
type certificate struct {
	cert, key, both string
	roots           *x509.CertPool
}

func newCertificate(dir string) (c certificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return c, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: tlsName}, DNSNames: []string{tlsName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return c, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return c, err
	}
	parsed, err := x509.ParseCertificate(raw)
	if err != nil {
		return c, err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	c = certificate{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "both.pem"), x509.NewCertPool()}
	c.roots.AddCert(parsed)
	return c, errors.Join(os.WriteFile(c.cert, certPEM, 0o600), os.WriteFile(c.key, keyPEM, 0o600),
		os.WriteFile(c.both, append(certPEM, keyPEM...), 0o600))
}

// client is how its clients connect: TLS 1.3 and HTTP/1.1.
func (c certificate) client() *tls.Config {
	return &tls.Config{RootCAs: c.roots, ServerName: tlsName, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS13}
}

// overTLS has connections that are kept ask again and again. The load is crypto/tls's, on
// the same processors, so rates are lower than without; processor time is the balancer's
// alone.
func overTLS(ctx context.Context, addr string, config *tls.Config, conns int, request []byte, length time.Duration) (load.Result, error) {
	list, err := dialAll(addr, conns, config)
	if err != nil {
		return load.Result{}, err
	}
	defer closeAll(list)
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var all sync.WaitGroup
	var mu sync.Mutex
	sum := load.Result{ByKind: []*hdrhistogram.Histogram{load.NewHistogram()}}
	began := time.Now()
	for _, c := range list {
		all.Go(func() {
			h, n := load.NewHistogram(), 0
			var err error
			for r := bufio.NewReaderSize(c, 16<<10); ctx.Err() == nil && err == nil; n++ {
				began := time.Now()
				if _, err = c.Write(request); err == nil {
					err = answer(r)
				}
				load.RecordLatency(h, time.Since(began))
			}
			mu.Lock()
			defer mu.Unlock()
			sum.ByKind[0].Merge(h)
			if err != nil {
				n--
				sum.Errors++
				sum.FirstError = err.Error()
			}
			sum.Completed += n
		})
	}
	all.Wait()
	sum.Elapsed = time.Since(began)
	return sum, nil
}

// answer reads one.
func answer(r *bufio.Reader) error {
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return err
}

// dialAll opens connections, over TLS if there is a config.
func dialAll(addr string, n int, config *tls.Config) (list []net.Conn, err error) {
	d := &net.Dialer{Timeout: 10 * time.Second}
	for range n {
		c, err := d.Dial("tcp", addr)
		if err == nil && config != nil {
			t := tls.Client(c, config)
			if err = t.Handshake(); err != nil {
				_ = c.Close()
			}
			c = t
		}
		if err != nil {
			closeAll(list)
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

func closeAll(list []net.Conn) {
	for _, c := range list {
		_ = c.Close()
	}
}
