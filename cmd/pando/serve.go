package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pandobase/pando/server"
)

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve [domain...]",
		Short: "Start the server",
		Long: `Start the server: web API, database and cache in this process.

With domains it listens on ports 80 and 443, gets a certificate for each by itself, and
sends plain HTTP to HTTPS. To name them is to agree to the terms of the authority, Let's
Encrypt unless --acme-directory says otherwise.

Each setting is taken from its flag, else from the environment (PANDO_NAME, or
PANDO_NAME_FILE for a file that holds the value), else from the --config file,
else from its default.

PANDO_SUPERUSER_EMAIL and PANDO_SUPERUSER_PASSWORD (or …_FILE) make the first
superuser of a new data directory. PANDO_BLOB_KEY and PANDO_BLOB_SECRET (or …_FILE,
or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) open the bucket of --blob.`,
		Example: `  pando serve
  pando serve app.example.com
  pando serve --http 0.0.0.0:8080 --dir /var/lib/pando
  PANDO_CACHE_SIZE=64MB pando serve --config pando.yaml`,
		Args: args(noCommand),
		RunE: func(cmd *cobra.Command, domains []string) error { return serve(cmd, domains) },
	}
	addFlags(cmd.Flags())
	return cmd
}

// noCommand refuses arguments that are no domains, as a misspelt command would be.
func noCommand(_ *cobra.Command, args []string) error {
	for _, a := range args {
		if !strings.Contains(a, ".") {
			return fmt.Errorf("%q is no domain: write it like app.example.com", a)
		}
	}
	return nil
}

func serve(cmd *cobra.Command, domains []string) error {
	s, err := loadSettings(cmd.Flags(), os.Environ())
	if err != nil {
		return err
	}
	if err := s.named(domains); err != nil {
		return err
	}
	cfg, err := s.config()
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
	cfg.OnReady = func(info server.Info) {
		b := banner{out: out, tty: tty, info: info, settings: s, log: cfg.Log}
		b.print()
	}
	srv, err := server.New(cfg)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(cmd.Context(), cfg.Log)
	defer stop()
	if s.email != "" {
		created, err := srv.FirstSuperuser(ctx, s.email, s.password)
		if err != nil {
			return errors.Join(fmt.Errorf("first superuser: %w", err), srv.Close())
		}
		if created {
			cfg.Log.Info("first superuser created", "origin", "environment")
		}
	}
	defer onHangup(cfg.Log, func() error { return reload(cmd, domains, srv, cfg) })()
	return srv.Run(ctx)
}

// reload reads the configuration again and gives the server what can change.
func reload(cmd *cobra.Command, domains []string, srv *server.Server, running server.Config) error {
	s, err := loadSettings(cmd.Flags(), os.Environ())
	if err != nil {
		return err
	}
	if err := s.named(domains); err != nil {
		return err
	}
	cfg, err := s.config()
	if err != nil {
		return err
	}
	cfg.Log, cfg.OnReady = running.Log, running.OnReady
	return srv.Reload(cfg)
}

// onHangup calls f for each SIGHUP, until the returned function is called. An
// error is logged, and everything goes on as it was.
func onHangup(log *slog.Logger, f func() error) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-signals:
			case <-done:
				return
			}
			if err := f(); err != nil {
				log.Error("configuration not taken over", "error", err)
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}

// sameSignal is how soon a second signal is the first one once more: timeout(1)
// and some supervisors send theirs to the process and to its group.
const sameSignal = 300 * time.Millisecond

// untilSignal ends with the first SIGINT or SIGTERM; the second ends the
// process, whatever is under way.
func untilSignal(ctx context.Context, log *slog.Logger) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		var first time.Time
		for {
			select {
			case <-signals:
			case <-done:
				return
			}
			switch {
			case first.IsZero():
				first = time.Now()
				cancel()
			case time.Since(first) > sameSignal:
				log.Warn("forced to stop by a second signal")
				os.Exit(1)
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

func (s *settings) logger(stderr io.Writer) (*slog.Logger, error) {
	level, err := s.logLevel()
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	format := s.String("log-format")
	if format == "auto" {
		format = "json"
		if _, tty := terminal(stderr); tty {
			format = "text"
		}
	}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(stderr, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(stderr, options)), nil
	}
	return nil, s.wrong("log-format", fmt.Errorf("%q is no format: write text, json or auto", format))
}

// terminal tells whether people read w.
func terminal(w io.Writer) (io.Writer, bool) {
	f, ok := w.(*os.File)
	return w, ok && term.IsTerminal(int(f.Fd()))
}

// installLinkFile is where the link goes when nobody watches.
const installLinkFile = "install-link"

// writeInstallLink leaves the link for the owner of the data directory only; an
// old one goes.
func writeInstallLink(dir, link string) error {
	path := filepath.Join(dir, installLinkFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if link == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, link)
	return errors.Join(err, f.Close())
}
