package localcluster

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// redisAdmin is the user, and the password, of Exec.
const redisAdmin = "localcluster"

// conf is the text of redis.conf. Its process keeps the command line it was
// started with, by which it is found, and not the title that Redis would write.
func (r *Redis) conf() string {
	o := r.opts
	settings := map[string]string{
		"bind":                       "127.0.0.1",
		"protected-mode":             "no", // nobody else can reach it
		"port":                       r.port.String(),
		"unixsocket":                 filepath.Join(r.dir, "socket"),
		"unixsocketperm":             "777",
		"dir":                        r.dir,
		"set-proc-title":             "no",
		"save":                       `""`,
		"appendonly":                 "no",
		"maxmemory":                  "64mb",
		"maxmemory-policy":           "allkeys-lfu",
		"maxclients":                 "1000",
		"rdb-save-incremental-fsync": "no",
	}
	if o.MaxMemory != "" {
		settings["maxmemory"] = o.MaxMemory
	}
	if o.TLS {
		settings["port"], settings["tls-port"] = "0", r.port.String()
		settings["tls-ca-cert-file"] = r.CAFile()
		settings["tls-cert-file"] = filepath.Join(r.dir, "server.pem")
		settings["tls-key-file"] = filepath.Join(r.dir, "server.key")
		settings["tls-auth-clients"] = "no"
		if o.ClientCerts {
			settings["tls-auth-clients"] = "yes"
		}
	}
	maps.Copy(settings, o.Settings)
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "%s %s\n", name, settings[name])
	}
	fmt.Fprintf(&b, "user %s on >%s ~* &* +@all\n", redisAdmin, redisAdmin)
	if o.User != "" {
		fmt.Fprintf(&b, "user default off\nuser %s on >%s ~pando:* resetchannels -@all %s\n", o.User, o.Password, RedisACL)
	}
	return b.String()
}

// RedisACL is what a cache's user must be allowed.
const RedisACL = "+getrange +set +del +ping +hello +auth +info +config|get"

func (o RedisOptions) url(hosts string) string {
	u := url.URL{Scheme: "redis"}
	if o.TLS {
		u.Scheme = "rediss"
	}
	if o.User != "" {
		u.User = url.UserPassword(o.User, o.Password)
	}
	u.Host = hosts
	return u.String()
}

// resp is a command as Redis reads it.
func resp(args ...string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b
}

// readAnswers reads that of AUTH and that of the command.
func readAnswers(conn io.Reader) (string, error) {
	in := bufio.NewReader(conn)
	if _, err := readAnswer(in); err != nil {
		return "", err
	}
	return readAnswer(in)
}

func readAnswer(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("localcluster: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errors.New("localcluster: Redis answers an empty line")
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case '+', ':':
		return rest, nil
	case '-':
		return "", fmt.Errorf("localcluster: Redis: %s", rest)
	}
	n, err := strconv.Atoi(rest)
	if err != nil || kind != '$' && kind != '*' {
		return "", fmt.Errorf("localcluster: Redis answers %q", line)
	}
	if n < 0 {
		return "", nil
	}
	if kind == '$' {
		data := make([]byte, n+2)
		if _, err := io.ReadFull(in, data); err != nil {
			return "", fmt.Errorf("localcluster: %w", err)
		}
		return string(data[:n]), nil
	}
	var parts []string
	for range n {
		part, err := readAnswer(in)
		if err != nil {
			return "", err
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "\n"), nil
}
