package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pandobase/pando/server"
)

func lbCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lb [domain...]",
		Short: "Start a load balancer in front of web servers",
		Long: `Start a load balancer: clients reach its address, and the web servers behind it
share the work. One that dies, hangs, slows down or restarts is left out until it is
well again. It works in front of any HTTP server.

The servers of a cluster are found: --join asks any of them who there is, --database
reads it from the database. Either takes PANDO_CLUSTER_SECRET (or …_FILE).

A second "pando lb" on the same address takes over from the first: start the new one,
then stop the old one (SIGTERM); no connection is refused.

With domains it listens on ports 80 and 443, as pando serve does, and gets a certificate
for each by itself; the web servers behind it are asked in plain HTTP, or over the
cluster's own TLS.

Each setting is taken from its flag, else from the environment (PANDO_NAME), else from
the --config file, else from its default.`,
		Example: `  pando lb app.example.com --join 10.0.0.11:8100,10.0.0.12:8100
  pando lb --join 10.0.0.11:8100,10.0.0.12:8100 --listen 0.0.0.0:80
  pando lb --upstream 10.0.0.2:8090,10.0.0.3:8090 --listen 0.0.0.0:80
  pando lb --upstream 127.0.0.1:3000 --probe-path /health --policy round-robin`,
		Args: args(noCommand),
		RunE: func(cmd *cobra.Command, domains []string) error { return balance(cmd, domains) },
	}
	addBalancerFlags(cmd.Flags())
	return cmd
}

func balance(cmd *cobra.Command, domains []string) error {
	s, err := loadSettings(cmd.Flags(), os.Environ())
	if err != nil {
		return err
	}
	if err := s.named(domains); err != nil {
		return err
	}
	cfg, err := s.balancer()
	if err != nil {
		return err
	}
	out, tty := terminal(cmd.OutOrStdout())
	if cfg.Log, err = s.logger(cmd.ErrOrStderr()); err != nil {
		return err
	}
	for _, w := range s.warnings {
		cfg.Log.Warn(w)
	}
	cfg.OnReady = func(info server.BalancerInfo) {
		if !tty {
			cfg.Log.Info("ready", "version", version(), "url", strings.Join(info.URLs, ","), "admin", info.AdminURL,
				"upstreams", info.Upstreams, "took_ms", info.Took.Milliseconds())
			return
		}
		fmt.Fprint(out, balancerBanner(info))
	}
	b, err := server.NewBalancer(cfg)
	if err != nil {
		return usageError{err}
	}
	ctx, stop := untilSignal(cmd.Context(), cfg.Log)
	defer stop()
	defer onHangup(cfg.Log, b.Reload)()
	return b.Run(ctx)
}

func balancerBanner(info server.BalancerInfo) string {
	var t strings.Builder
	fmt.Fprintf(&t, "pando lb %s ready in %s   (%d upstreams)\n", version(), info.Took.Round(time.Millisecond), info.Upstreams)
	for i, url := range info.URLs {
		branch := "├─"
		if i == len(info.URLs)-1 && info.AdminURL == "" {
			branch = "└─"
		}
		fmt.Fprintf(&t, "%s Serving:   %s\n", branch, url)
	}
	if info.AdminURL != "" {
		fmt.Fprintf(&t, "└─ Admin:     %s/status  /metrics  /readyz?verbose  /debug/pprof/\n", info.AdminURL)
	}
	return t.String()
}

// balancer is the settings as server.BalancerConfig has them.
func (s *settings) balancer() (server.BalancerConfig, error) {
	cfg := server.BalancerConfig{
		Listen: commas(s.String("listen")), Admin: s.String("admin"), Upstreams: commas(s.String("upstream")),
		Join: commas(s.String("join")), Database: s.String("database"), ClusterSecret: s.cluster,
		Policy: s.String("policy"), ProbePath: s.String("probe-path"), ProxyFrom: commas(s.String("proxy-from")),
		Version: version(),
	}
	if s.origin["admin"] == "default" {
		cfg.Admin = "" // then any free port will do
	}
	cfg.TLS, cfg.Dir = s.tls(), s.String("dir")
	if len(cfg.TLS.Domains) > 0 || cfg.TLS.Cert != "" {
		if s.origin["http"] != "default" {
			cfg.HTTP = s.String("http")
		}
		if s.origin["listen"] == "default" {
			cfg.Listen = nil
		}
	}
	for name, field := range map[string]*int{"max-conns": &cfg.MaxConns, "client-conns": &cfg.ClientConns, "client-rate": &cfg.ClientRate} {
		var err error
		if *field, err = count(s.String(name)); err != nil {
			return cfg, s.wrong(name, err)
		}
	}
	switch text := s.String("fast-path"); text {
	case "on":
	case server.Off:
		cfg.NoFastPath = true
	default:
		return cfg, s.wrong("fast-path", fmt.Errorf("%q is neither: write on or %s", text, server.Off))
	}
	var err error
	if cfg.AnswerTimeout, err = seconds(s.String("answer-timeout")); err != nil || cfg.AnswerTimeout <= 0 {
		return cfg, s.wrong("answer-timeout", fmt.Errorf("%q is no time above 0: write for example 60s", s.String("answer-timeout")))
	}
	if cfg.StopTimeout, err = seconds(s.String("stop-timeout")); err != nil || cfg.StopTimeout <= 0 {
		return cfg, s.wrong("stop-timeout", fmt.Errorf("%q is no time above 0: write for example 10s or 1m", s.String("stop-timeout")))
	}
	return cfg, nil
}

// count reads a limit: auto is 0, off is -1.
func count(text string) (int, error) {
	switch text {
	case "auto":
		return 0, nil
	case server.Off:
		return -1, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is no number above 0: write a number, or %s", text, server.Off)
	}
	return int(n), nil
}

// commas splits at commas.
func commas(text string) (items []string) {
	for _, item := range strings.Split(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
