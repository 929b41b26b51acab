package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// Config is how the servers are reached: the value of --cache, read.
type Config struct {
	Servers        []Address
	User, Password string
	TLS            *tls.Config // nil: none

	login string // what the connections are made with, to tell whether it has changed
}

// Address is one server.
type Address struct {
	// Name is what keys are spread by. All web servers must call a server by one
	// name, by whatever address they reach it.
	Name string
	Addr string // host:port
}

const defaultPort = "6379"

// ParseURL reads redis://user:password@host:port,host,… or rediss://…, which is
// the same over TLS. After a ? may stand ca, cert and key (files), server-name
// and names, all joined by &.
func ParseURL(text string) (Config, error) {
	c, err := parseURL(text)
	if err != nil {
		// The text is not repeated: there may be a password in it.
		return Config{}, fmt.Errorf("the cache's address: %w; it is to be redis://user:password@host:port,host:port or rediss://… for TLS", err)
	}
	return c, nil
}

// Mask is an address as people may see it: without the password.
func Mask(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return "(no address)" // it may be anything, a password among it
	}
	hosts, query, _ := strings.Cut(rest, "?")
	if strings.Contains(query, "@") {
		return "(no address)"
	}
	if at := strings.LastIndexByte(hosts, '@'); at >= 0 {
		user, password, _ := strings.Cut(hosts[:at], ":")
		if password != "" {
			user += ":xxxxx"
		}
		hosts = user + hosts[at:]
	}
	if query != "" {
		hosts += "?" + query // names and files
	}
	return scheme + "://" + hosts
}

func parseURL(text string) (Config, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || scheme != "redis" && scheme != "rediss" {
		return Config{}, errors.New("it begins neither with redis:// nor with rediss://")
	}
	// Not by net/url: it takes the last of several hosts for a port.
	rest, query, _ := strings.Cut(rest, "?")
	if strings.Contains(query, "@") { // that of a password, most likely: nothing of it is to be repeated
		return Config{}, errors.New("an @ behind the ?: write a ? in user or password as %3F, and an @ in the name of a file as %40")
	}
	var c Config
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, password, _ := strings.Cut(rest[:at], ":")
		var err1, err2 error
		c.User, err1 = url.PathUnescape(user)
		c.Password, err2 = url.PathUnescape(password)
		if err1 != nil || err2 != nil {
			return Config{}, errors.New("a % in user or password is to be written %25")
		}
		rest = rest[at+1:]
	}
	hosts, path, _ := strings.Cut(rest, "/")
	if path != "" {
		return Config{}, errors.New("databases by number are not used")
	}
	options, err := url.ParseQuery(query)
	if err != nil {
		return Config{}, errors.New("what follows the ? cannot be read")
	}
	for name, values := range options {
		if !slices.Contains([]string{"ca", "cert", "key", "server-name", "names"}, name) || len(values) != 1 {
			return Config{}, fmt.Errorf("there is no option %s, or it is given twice; there are ca, cert, key, server-name and names", name)
		}
	}
	if err := c.addServers(hosts, options.Get("names")); err != nil {
		return Config{}, err
	}
	c.login = strings.Join([]string{scheme, c.User, c.Password, query}, "\x00")
	if scheme == "rediss" {
		c.TLS, err = tlsConfig(options)
		return c, err
	}
	for _, name := range []string{"ca", "cert", "key", "server-name"} {
		if options.Has(name) {
			return Config{}, fmt.Errorf("%s is an option of rediss://, not of redis://", name)
		}
	}
	return c, nil
}

func (c *Config) addServers(hosts, names string) error {
	list := strings.Split(hosts, ",")
	var called []string
	if names != "" {
		if called = strings.Split(names, ","); len(called) != len(list) {
			return fmt.Errorf("it has %d names for %d servers", len(called), len(list))
		}
	}
	for i, host := range list {
		addr := strings.TrimSpace(host)
		if _, _, err := net.SplitHostPort(addr); err != nil {
			addr = net.JoinHostPort(strings.Trim(addr, "[]"), defaultPort)
		}
		h, port, err := net.SplitHostPort(addr)
		if _, bad := strconv.ParseUint(port, 10, 16); err != nil || h == "" || bad != nil {
			return fmt.Errorf("number %d of its servers is no host, and no host:port", i+1)
		}
		a := Address{Name: addr, Addr: addr}
		if called != nil {
			a.Name = called[i]
		}
		if slices.ContainsFunc(c.Servers, func(b Address) bool { return a.Name == b.Name }) {
			return fmt.Errorf("it names the server %s twice", a.Name)
		}
		c.Servers = append(c.Servers, a)
	}
	return nil
}

func tlsConfig(options url.Values) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: options.Get("server-name")}
	if file := options.Get("ca"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: there is no certificate in %s", file)
		}
	}
	if options.Has("cert") || options.Has("key") {
		pair, err := tls.LoadX509KeyPair(options.Get("cert"), options.Get("key"))
		if err != nil {
			return nil, fmt.Errorf("cert and key: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// option is how a server is connected to. There is no retrying, and no cache: what
// is not answered at once is a miss, and what is kept here is kept elsewhere.
func (c Config) option(at Address) rueidis.ClientOption {
	o := rueidis.ClientOption{
		InitAddress: []string{at.Addr}, ForceSingleClient: true,
		Username: c.User, Password: c.Password, TLSConfig: c.TLS,
		ClientSetInfo: rueidis.DisableClientSetInfo, // unknown before 7.2, and not in the ACL
		DisableRetry:  true, DisableCache: true,
		ConnWriteTimeout: connectWait, PipelineMultiplex: -1, // one connection
		ReadBufferEachConn: 64 << 10, WriteBufferEachConn: 64 << 10,
	}
	o.Dialer.Timeout = connectWait
	if runtime.GOMAXPROCS(0) > 4 {
		o.PipelineMultiplex = 1 // two
	}
	if c.TLS != nil {
		o.TLSConfig = c.TLS.Clone() // the client notes the server's name in it
	}
	return o
}
