package postgres

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando"
)

// IsURL tells whether text names a PostgreSQL database.
func IsURL(text string) bool {
	return strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://")
}

// address is one host of a URL, with what it takes to connect to it.
type address struct {
	host string // host:port
	cfg  *pgconn.Config
}

// parseURL splits libpq's multi-host form: which host is the primary is for us
// to find out, not for a connection that tries one after the other.
func parseURL(text string, opts *Options) ([]address, error) {
	if !IsURL(text) {
		return nil, pando.Invalid("%s is no PostgreSQL URL: write postgres://user:password@host/database.", Mask(text))
	}
	cfg, err := pgconn.ParseConfig(text)
	if err != nil {
		return nil, pando.Invalid("The database URL %s cannot be read: %s.", Mask(text), maskIn(reason(err), text))
	}
	cfg.DialFunc = opts.dial
	cfg.ConnectTimeout = 0
	cfg.ValidateConnect, cfg.AfterConnect = nil, nil // target_session_attrs is for us to decide
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "pando"
	}
	cfg.RuntimeParams["timezone"] = "UTC" // in which views' dates are read
	cfg.RuntimeParams["datestyle"] = "ISO, MDY"

	ways := []*pgconn.FallbackConfig{{Host: cfg.Host, Port: cfg.Port, TLSConfig: cfg.TLSConfig}}
	ways = append(ways, cfg.Fallbacks...)
	var list []address
	for _, w := range ways {
		name := net.JoinHostPort(w.Host, strconv.Itoa(int(w.Port)))
		i := slices.IndexFunc(list, func(a address) bool { return a.host == name })
		if i >= 0 { // the same host without TLS, for sslmode=prefer
			list[i].cfg.Fallbacks = append(list[i].cfg.Fallbacks, w)
			continue
		}
		own := cfg.Copy()
		own.Host, own.Port, own.TLSConfig, own.Fallbacks = w.Host, w.Port, w.TLSConfig, nil
		list = append(list, address{name, own})
	}
	return list, nil
}

// reason is why pgconn cannot read a URL, without the URL that it quotes.
func reason(err error) string {
	text := err.Error()
	if _, rest, ok := strings.Cut(text, "`: "); ok {
		text = rest
	}
	return strings.TrimSuffix(strings.TrimSpace(text), ".")
}

// secretParams are parameters of a URL that are nobody's business.
var secretParams = []string{"password", "sslpassword", "passfile", "sslkey"}

// Mask is a database URL as it may be shown: without passwords.
func Mask(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		// A multi-host URL with ports is none to net/url.
		return userinfo.ReplaceAllString(passwordParam.ReplaceAllString(text, "${1}xxxxx"), "${1}:xxxxx@")
	}
	if _, ok := u.User.Password(); ok {
		u.User = url.UserPassword(u.User.Username(), "xxxxx")
	}
	q := u.Query()
	for _, name := range secretParams {
		if q.Has(name) {
			q.Set(name, "xxxxx")
			u.RawQuery = q.Encode()
		}
	}
	return u.String()
}

var (
	userinfo      = regexp.MustCompile(`(://[^:/?#]*):.*@`)
	passwordParam = regexp.MustCompile(`((?:password|sslpassword|passfile|sslkey)=)[^&]*`)
)

// maskIn takes the URL, and its password alone, out of a message.
func maskIn(message, text string) string {
	message = strings.ReplaceAll(message, text, Mask(text))
	if m := regexp.MustCompile(`://[^:/?#]*:(.*)@`).FindStringSubmatch(text); m != nil && m[1] != "" {
		message = strings.ReplaceAll(message, m[1], "xxxxx")
		if plain, err := url.PathUnescape(m[1]); err == nil {
			message = strings.ReplaceAll(message, plain, "xxxxx")
		}
	}
	return message
}
