package main

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/pandobase/pando/server"
)

// banner tells that the server is ready and where it answers: for people on a
// terminal, else one line in the log. Every line of it works.
type banner struct {
	out      io.Writer
	tty      bool
	info     server.Info
	settings *settings
	log      *slog.Logger
}

func (b *banner) print() {
	link := b.info.InstallURL
	if b.tty {
		link = "" // it is shown; a file would only lie about
	}
	if err := writeInstallLink(b.info.Dir, link); err != nil {
		b.log.Warn("cannot write the install link", "file", filepath.Join(b.info.Dir, installLinkFile), "error", err)
	}
	if !b.tty {
		b.log.Info("ready", "version", version(), "url", b.info.URL, "private", b.info.Private, "admin", b.info.AdminURL, "dir", b.info.Dir, "database", cmp.Or(b.info.Database, "sqlite"), "files", cmp.Or(b.info.Files, "dir"),
			"cache_bytes", b.info.CacheSize, "readers", b.info.Readers, "took_ms", b.info.Took.Milliseconds(),
			"first_superuser_needed", b.info.InstallURL != "")
		return
	}
	fmt.Fprint(b.out, b.text())
}

func (b *banner) text() string {
	cache := "memory cache " + humanize.IBytes(uint64(b.info.CacheSize))
	if b.info.CacheSize == 0 {
		cache = "no cache"
	}
	config := "defaults (no file)"
	for _, origin := range b.settings.origin {
		if path, ok := strings.CutPrefix(origin, "file "); ok {
			config = path
		}
	}
	var t strings.Builder
	mode, data := "single node: SQLite + "+cache, "SQLite, WAL"
	if b.info.Database != "" {
		mode, data = "one web server: PostgreSQL, "+cache, "files"
		if b.info.Files != "" {
			data = "nothing but its identity"
		}
	}
	fmt.Fprintf(&t, "pando %s ready in %s   (%s)\n", version(), b.info.Took.Round(time.Millisecond), mode)
	if b.info.Private != "" {
		fmt.Fprintf(&t, "├─ REST API:  through a load balancer: pando lb --join %s\n", b.info.Private)
		fmt.Fprintf(&t, "├─ Health:    %s/livez  /readyz\n", b.info.URL)
	} else {
		fmt.Fprintf(&t, "├─ REST API:  %s/api/\n", b.info.URL)
		fmt.Fprintf(&t, "├─ Health:    %s/api/health  /livez  /readyz\n", b.info.URL)
	}
	if b.info.AdminURL != "" {
		fmt.Fprintf(&t, "├─ Admin:     %s/metrics  /readyz?verbose  /debug/pprof/\n", b.info.AdminURL)
	}
	if b.info.Database != "" {
		fmt.Fprintf(&t, "├─ Database:  %s\n", b.info.Database)
	}
	if b.info.Files != "" {
		fmt.Fprintf(&t, "├─ Files:     %s\n", b.info.Files)
	}
	fmt.Fprintf(&t, "└─ Data:      %s (%s)   Config: %s\n", b.info.Dir, data, config)
	if b.info.InstallURL != "" {
		fmt.Fprintf(&t, "\nFirst time? Create the superuser (link valid 30 min):\n%s\nor:  pando superuser upsert EMAIL PASS%s\n",
			b.info.InstallURL, b.placeFlags())
	}
	return t.String()
}

// placeFlags is what a command must add to work on the same data.
func (b *banner) placeFlags() (flags string) {
	if b.settings.origin["dir"] != "default" {
		flags += " --dir " + b.settings.String("dir")
	}
	if b.info.Database != "" {
		flags += " --database " + b.info.Database
	}
	if b.info.Files != "" {
		flags += " --blob '" + b.info.Files + "'"
	}
	return flags
}
