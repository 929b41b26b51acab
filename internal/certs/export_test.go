package certs

import "time"

// Only has the authority ask in one way.
func (c *Certificates) Only(challenge string) {
	m := c.source.(*managed)
	m.begin()
	m.issuer.DisableHTTPChallenge = challenge != "http-01"
	m.issuer.DisableTLSALPNChallenge = challenge != "tls-alpn-01"
}

// Every is how often the files of a user's own certificate are looked at.
func Every(d time.Duration) (back func()) {
	old := watchEvery
	watchEvery = d
	return func() { watchEvery = old }
}
