package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/json"
	"github.com/knadh/koanf/parsers/toml/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"github.com/pandobase/pando/server"
)

// option is one setting, named alike as a flag (--public-dir), in
// the environment (PANDO_PUBLIC_DIR) and in the file (public-dir, publicDir or
// public_dir).
type option struct {
	name, def, usage string
}

// options is every setting of the server.
var options = []option{
	{"dir", "./" + server.DefaultDir, "data directory, made if it is not there"},
	{"database", "", "PostgreSQL to keep records in, postgres://user:password@host1,host2/name; without it, SQLite in the data directory"},
	{"blob", "", "bucket or shared directory to keep files in, s3://bucket/prefix?endpoint=https://host&region=… or file:///shared/dir; without it, the data directory"},
	{"http", server.DefaultHTTP, "address to serve on; with domains " + server.DefaultSecureHTTP + ", which sends everybody to --https"},
	{"domains", "", "names to serve by HTTPS, comma separated; arguments of the command say the same"},
	{"https", "", "with domains, address to serve on by HTTPS; without it, " + server.DefaultHTTPS},
	{"tls-cert", "", "file of your own certificate with its chain, read again when it changes; without it, certificates come by themselves"},
	{"tls-key", "", "file of its private key"},
	{"acme-directory", server.DefaultCertificate, "authority that certificates come from"},
	{"acme-email", "", "address that the authority may write to"},
	{"acme-root", "", "PEM file of the root that the authority itself is believed from; without it, the machine's"},
	{"admin", server.DefaultAdmin, "address for metrics, profiles and readiness, or off; another port if taken"},
	{"public-dir", "./" + server.DefaultPublicDir, "static files, or off"},
	{"pages-dir", "./" + server.DefaultPagesDir, "page templates, or off"},
	{"cache-size", "auto", "memory for the cache (64MB, 1GiB), off, or auto: an eighth of the memory, 256 MB at most"},
	{"cache", "", "in a cluster, the cache servers that all share, redis://user:password@host1,host2 or rediss://… for TLS; without it, each server has its own cache alone"},
	{"cache-ttl", "24h", "time that a cache server keeps an answer, a tenth more or less"},
	{"shadow-reads", "1000", "read one in so many answers from the cache again and compare, or off"},
	{"readers", "auto", "reads of the database at once; auto follows the cores and the memory"},
	{"query-timeout", "30s", "time that one query of the database may take"},
	{"overload-latency", "250ms", "time that requests may come to take before some are refused, because there are more than can be answered; or off: none is refused"},
	{"write-wait", "5s", "with PostgreSQL, time that a write waits for a primary when there is none"},
	{"read-wait", "2s", "in a cluster, time that a read waits while this server does not hear of the others' changes"},
	{"degraded", "stale", "while PostgreSQL has no primary: stale answers reads with what was known last, marked with Age; fail refuses them"},
	{"advertise", "", "in a cluster, the private host:port at which the other servers and the load balancers reach this one; without it, the address of --http and a free port"},
	{"direct", "false", "in a cluster, answer whoever asks at --http, and not only what load balancers bring"},
	{"origins", "*", "allowed CORS origins, comma separated"},
	{"reload", "false", "read page templates again when they change"},
	{"stop-timeout", "10s", "time for the requests under way when the server stops"},
	{"log-level", "info", "debug, info, warn or error"},
	{"log-format", "auto", "text, json, or auto: text on a terminal"},
}

// balancerOptions are settings of the load balancer alone; it shares those of
// sharedOptions with the server.
var balancerOptions = []option{
	{"listen", server.DefaultListen, "addresses to serve on, comma separated"},
	{"upstream", "", "the web servers, HOST:PORT,HOST:PORT"},
	{"join", "", "private addresses (--advertise) of some servers of a cluster, HOST:PORT,HOST:PORT, which tell of all; needs PANDO_CLUSTER_SECRET"},
	{"policy", "least-loaded", "how an upstream is chosen: least-loaded or round-robin"},
	{"probe-path", "/readyz", "what is asked for to see whether an upstream is ready"},
	{"proxy-from", "", "networks of balancers in front that tell the client's address by the PROXY protocol, comma separated"},
	{"max-conns", "auto", "connections of clients at once; auto follows the limit of open files"},
	{"client-conns", "1000", "connections of one client at once, or off"},
	{"client-rate", "off", "requests a second of one client, or off"},
	{"fast-path", "on", "pass plain HTTP/1.1 requests on without net/http; off has it serve all"},
	{"answer-timeout", "60s", "time that an upstream may take to begin its answer"},
}

var sharedOptions = []string{
	"dir", "database", "http", "domains", "https", "tls-cert", "tls-key", "acme-directory", "acme-email", "acme-root",
	"admin", "stop-timeout", "log-level", "log-format",
}

// allOptions are those of every command: one file, and one environment, may have both.
func allOptions() []option { return slices.Concat(options, balancerOptions) }

const envPrefix = "PANDO_"

func (o option) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
}

func optionNames() []string {
	all := allOptions()
	names := make([]string, len(all))
	for i, o := range all {
		names[i] = o.name
	}
	return names
}

// addFlags declares all options of the server, or those named.
func addFlags(flags *pflag.FlagSet, only ...string) {
	list := options
	if len(only) > 0 {
		list = slices.DeleteFunc(slices.Clone(options), func(o option) bool { return !slices.Contains(only, o.name) })
	}
	declare(flags, list)
}

// addBalancerFlags declares what the load balancer takes.
func addBalancerFlags(flags *pflag.FlagSet) {
	declare(flags, balancerOptions)
	addFlags(flags, sharedOptions...)
	for _, o := range []option{
		{"database", "", "PostgreSQL whose table of members says which web servers there are, as a role that may read only that; needs PANDO_CLUSTER_SECRET"},
		{"http", server.DefaultSecureHTTP, "with domains, address of plain HTTP, which sends everybody to --https"},
	} { // what is something else there
		f := flags.Lookup(o.name)
		f.Usage, f.DefValue = fmt.Sprintf("%s [%s]", o.usage, o.env()), o.def
	}
}

func declare(flags *pflag.FlagSet, list []option) {
	for _, o := range list {
		usage := fmt.Sprintf("%s [%s]", o.usage, o.env())
		flags.String(o.name, o.def, usage)
		if o.name == "reload" || o.name == "direct" {
			flags.Lookup(o.name).NoOptDefVal = "true"
		}
	}
	if flags.Lookup("config") != nil {
		return
	}
	flags.String("config", "", "file of settings: YAML, TOML or JSON by its extension [PANDO_CONFIG]")
}

// Variables that make the first superuser of a new server, for machines that
// nobody watches, the secret that the servers of a cluster share, and the
// credentials of a bucket. They are no options: a password belongs neither into flags
// nor into a file of settings.
const (
	superuserEmail    = "superuser-email"
	superuserPassword = "superuser-password"
	clusterSecret     = "cluster-secret"
	blobKey           = "blob-key"
	blobSecret        = "blob-secret"
)

var secretNames = []string{superuserEmail, superuserPassword, clusterSecret, blobKey, blobSecret}

// settings are the values in force, and where each comes from.
type settings struct {
	values   *koanf.Koanf
	origin   map[string]string // option → default, file …, environment …, flag
	warnings []string

	email, password string // of the first superuser; "" if not given
	cluster         string // secret; "": there is none
	blob            credentials
}

func (s *settings) String(name string) string { return s.values.String(name) }

// shown is a value as people may see it: without passwords.
func (s *settings) shown(name string) string {
	switch name {
	case "database":
		return server.MaskDatabase(s.String(name))
	case "cache":
		return server.MaskCache(s.String(name))
	case "blob":
		return server.MaskBlob(s.String(name))
	}
	return s.String(name)
}

// place is where the data is that a command works on.
func (s *settings) place() server.Place {
	return server.Place{
		Dir: s.String("dir"), Database: s.String("database"),
		Blob: s.String("blob"), BlobKey: s.blob.key, BlobSecret: s.blob.secret, BlobToken: s.blob.token,
	}
}

// placeFlags are the options of commands that work on data.
var placeFlags = []string{"dir", "database", "blob"}

// delim separates levels of keys; no key has one.
const delim = "\x00"

// loadSettings merges, the later over the earlier: defaults, the file, the
// environment, flags.
func loadSettings(flags *pflag.FlagSet, environ []string) (*settings, error) {
	s := &settings{values: koanf.New(delim), origin: map[string]string{}}
	defaults := map[string]string{}
	for _, o := range allOptions() {
		defaults[o.name] = o.def
	}
	s.merge(defaults, func(string) string { return "default" })

	env, err := s.readEnv(environ)
	if err != nil {
		return nil, err
	}
	path := env["config"]
	if f := flags.Lookup("config"); f != nil && f.Changed {
		path = f.Value.String()
	}
	s.email, s.password = env[superuserEmail], env[superuserPassword]
	if (s.email == "") != (s.password == "") {
		return nil, usageError{errors.New("PANDO_SUPERUSER_EMAIL and PANDO_SUPERUSER_PASSWORD go together: set both or none")}
	}
	s.cluster = env[clusterSecret]
	if s.blob, err = readCredentials(env, environ); err != nil {
		return nil, err
	}
	for _, name := range append([]string{"config"}, secretNames...) {
		delete(env, name)
	}
	if path != "" {
		values, err := readFile(path)
		if err != nil {
			return nil, usageError{err}
		}
		s.merge(values, func(string) string { return "file " + path })
	}
	s.merge(env, func(name string) string { return "environment " + option{name: name}.env() })

	given := map[string]string{}
	flags.Visit(func(f *pflag.Flag) {
		if _, isOption := defaults[f.Name]; isOption {
			given[f.Name] = f.Value.String()
		}
	})
	s.merge(given, func(name string) string { return "flag --" + name })
	return s, nil
}

func (s *settings) merge(values map[string]string, origin func(name string) string) {
	layer := make(map[string]any, len(values))
	for name, value := range values {
		layer[name] = value
		s.origin[name] = origin(name)
	}
	// A map in memory cannot fail to load.
	_ = s.values.Load(confmap.Provider(layer, delim), nil)
}

// named takes domains that are arguments of the command.
func (s *settings) named(domains []string) error {
	if len(domains) == 0 {
		return nil
	}
	if strings.HasPrefix(s.origin["domains"], "flag") {
		return usageError{errors.New("domains are named both by --domains and as arguments: use one of both")}
	}
	s.merge(map[string]string{"domains": strings.Join(domains, ",")}, func(string) string { return "arguments" })
	return nil
}

// readEnv takes PANDO_NAME, or the content of the file named by
// PANDO_NAME_FILE. Empty variables count as unset. A variable that means
// nothing is only a warning: Kubernetes makes some for every service of this
// name.
func (s *settings) readEnv(environ []string) (map[string]string, error) {
	names := slices.Concat(optionNames(), []string{"config"}, secretNames)
	out := map[string]string{}
	for _, entry := range environ {
		key, value, _ := strings.Cut(entry, "=")
		name, ours := strings.CutPrefix(key, envPrefix)
		if !ours || value == "" {
			continue
		}
		name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
		fileName, isFile := strings.CutSuffix(name, "-file")
		switch {
		case slices.Contains(names, name):
			if old, twice := out[name]; twice && old != value {
				return nil, usageError{fmt.Errorf("%s and %s_FILE are both set: unset one of them", key, key)}
			}
			out[name] = value
		case isFile && slices.Contains(names, fileName):
			content, err := os.ReadFile(value)
			if err != nil {
				return nil, usageError{fmt.Errorf("%s: %w", key, err)}
			}
			text := strings.TrimRight(string(content), "\r\n")
			if old, twice := out[fileName]; twice && old != text {
				return nil, usageError{fmt.Errorf("%s and %s are both set: unset one of them", key, strings.TrimSuffix(key, "_FILE"))}
			}
			out[fileName] = text
		default:
			if near := nearest(name, names); near != "" {
				s.warnings = append(s.warnings, fmt.Sprintf("the environment variable %s means nothing here; did you mean %s?", key, option{name: near}.env()))
			}
		}
	}
	return out, nil
}

// readFile reads a file of settings.
func readFile(path string) (map[string]string, error) {
	var parser koanf.Parser
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".yaml", ".yml":
		parser = yaml.Parser()
	case ".toml":
		parser = toml.Parser()
	case ".json":
		parser = json.Parser()
	default:
		return nil, fmt.Errorf("config file %s: the extension %q is not known: name it .yaml, .toml or .json", path, ext)
	}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("config file %s does not exist: make it, or leave --config out", path)
	}
	if err != nil {
		return nil, fmt.Errorf("config file: %w", err)
	}
	k := koanf.New(delim)
	if err := k.Load(rawbytes.Provider(content), parser); err != nil {
		return nil, fmt.Errorf("config file %s: %w", path, err)
	}
	return fileValues(path, k.Raw())
}

func fileValues(path string, raw map[string]any) (map[string]string, error) {
	names := optionNames()
	out := map[string]string{}
	for key, value := range raw {
		name := kebab(key)
		if !slices.Contains(names, name) {
			hint := "; the keys are: " + strings.Join(names, ", ")
			if near := nearest(name, names); near != "" {
				hint = fmt.Sprintf(" (did you mean %q?)", near)
			}
			return nil, fmt.Errorf("config file %s: unknown key %q%s", path, key, hint)
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("config file %s: %s is given twice, in two spellings", path, name)
		}
		switch v := value.(type) {
		case nil:
		case []any:
			parts := make([]string, len(v))
			for i := range v {
				parts[i] = fmt.Sprint(v[i])
			}
			out[name] = strings.Join(parts, ",")
		case map[string]any:
			return nil, fmt.Errorf("config file %s: %q must be one value, not a section", path, key)
		default:
			out[name] = fmt.Sprint(v)
		}
	}
	return out, nil
}
