package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pandobase/pando/server"
)

// Variables of status: they are settings of this command and of no server.
const (
	statusServer = "PANDO_SERVER"
	statusToken  = "PANDO_TOKEN"
)

// watchEvery is how often --watch looks.
const watchEvery = 2 * time.Second

func statusCommand() *cobra.Command {
	var servers []string
	var asJSON, watch bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show every node of the running system, and how it is",
		Long: `Show load balancers, web servers, caches and databases: role, health in words, requests
a second, the time that 99 of 100 take less than, errors, cache hits, lag, position;
of the last ten seconds. One server tells of its whole cluster.

It asks admin listeners, which ask nobody who they are: no password is needed on the
machine of a server, or inside the private network. From elsewhere, name a server's
public address and put a superuser's token into PANDO_TOKEN.`,
		Example: `  pando status
  pando status --watch --server http://10.0.0.2:8091
  pando status --server http://lb1:8091,http://lb2:8091
  PANDO_TOKEN=… pando status --json --server https://app.example.com`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if v := os.Getenv(statusServer); v != "" && !cmd.Flags().Changed("server") {
				servers = commas(v)
			}
			if len(servers) == 0 {
				return usageError{fmt.Errorf("no server is named: write --server http://HOST:PORT")}
			}
			return status(cmd, servers, asJSON, watch)
		},
	}
	cmd.Flags().StringSliceVar(&servers, "server", []string{"http://" + server.DefaultAdmin}, "admin addresses of servers and load balancers to ask ["+statusServer+"]")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON, what GET /api/system has of nodes; with --watch, a line for each look")
	cmd.Flags().BoolVar(&watch, "watch", false, "look again every two seconds, until it is interrupted")
	return cmd
}

// errIll ends a command whose output has said it all.
var errIll = fmt.Errorf("something does not work: see the lines that say so")

func status(cmd *cobra.Command, servers []string, asJSON, watch bool) error {
	ctx, stop := untilSignal(cmd.Context(), slog.New(slog.DiscardHandler))
	defer stop()
	out, tty := terminal(cmd.OutOrStdout())
	for {
		sys, err := server.FetchSystem(ctx, os.Getenv(statusToken), servers...)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !watch {
			return err
		}
		switch {
		case asJSON && err == nil:
			enc := json.NewEncoder(out)
			if !watch {
				enc.SetIndent("", "  ")
			}
			if err := enc.Encode(sys); err != nil {
				return err
			}
		case asJSON:
			fmt.Fprintln(cmd.ErrOrStderr(), "Error:", errorText(err))
		default:
			t := statusTable{colour: tty && os.Getenv("NO_COLOR") == ""}
			text := t.text(sys, time.Now())
			if err != nil {
				text = errorText(err) + "\n"
			}
			if watch && tty {
				text = "\x1b[H\x1b[2J" + text // from the top of an empty screen
			}
			if _, err := io.WriteString(out, text); err != nil {
				return err
			}
		}
		if !watch {
			if sys.Health == "bad" {
				return errIll
			}
			return nil
		}
		if !pause(ctx, watchEvery) {
			return nil
		}
		if !tty && !asJSON {
			fmt.Fprintln(out)
		}
	}
}

// pause waits, and tells whether it goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// statusTable writes a system for people, in lines of at most 100 columns.
type statusTable struct{ colour bool }

// statusWidth is what fits on a page and on most terminals.
const statusWidth = 100

func (t statusTable) text(s server.System, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s   %s\n\n", now.Format(time.TimeOnly), t.painted(string(s.Health), s.Words))
	line := func(health string, cells ...string) {
		row := fmt.Sprintf("%-7s %-25s ", cells[0], cut(cells[1], 25)) +
			t.painted(health, fmt.Sprintf("%-7s", cells[2])) + // the word and not the colour tells
			fmt.Sprintf(" %7s %8s %6s %4s %8s  %s", cells[3], cells[4], cells[5], cells[6], cells[7], cells[8])
		b.WriteString(strings.TrimRight(row, " ") + "\n")
	}
	line("", "ROLE", "NODE", "HEALTH", "REQ/S", "P99", "ERR", "HIT", "LAG", "POSITION")
	for _, n := range s.Nodes {
		name := n.Name
		if n.Address != "" && n.Address != n.Name {
			name += " " + n.Address
		}
		line(string(n.Health), string(n.Role), name, string(n.Health), rate(n.Rate), millis(n.P99), share(n.Errors, 1), share(n.Hits, 0), millis(n.Lag), or(n.Position))
		if n.Words != "" && !strings.HasPrefix(n.Words, "ok") {
			for _, part := range wrap(n.Words, statusWidth-10) {
				b.WriteString("          " + part + "\n")
			}
		}
	}
	return b.String()
}

// colours are beside the words and never instead of them.
var colours = map[string]string{"ok": "32", "warn": "33", "bad": "31", "unknown": "35"}

func (t statusTable) painted(health, text string) string {
	if !t.colour || colours[health] == "" {
		return text
	}
	return "\x1b[" + colours[health] + "m" + text + "\x1b[0m"
}

const notKnown = "–"

func or(text string) string {
	if text == "" {
		return notKnown
	}
	return text
}

func rate(v *float64) string {
	switch {
	case v == nil:
		return notKnown
	case *v >= 100_000:
		return fmt.Sprintf("%.0fk", *v/1000)
	case *v >= 100:
		return fmt.Sprintf("%.0f", *v)
	}
	return fmt.Sprintf("%.1f", *v)
}

func millis(v *float64) string {
	switch {
	case v == nil:
		return notKnown
	case *v >= 3_600_000:
		return fmt.Sprintf("%.0f h", *v/3_600_000)
	case *v >= 10_000:
		return fmt.Sprintf("%.0f s", *v/1000)
	case *v >= 100:
		return fmt.Sprintf("%.0f ms", *v)
	case *v == 0:
		return "0 ms"
	}
	return fmt.Sprintf("%.1f ms", *v)
}

func share(v *float64, digits int) string {
	if v == nil {
		return notKnown
	}
	return fmt.Sprintf("%.*f%%", digits, *v*100)
}

// cut keeps the beginning of a name, and its end, which tells more.
func cut(text string, n int) string {
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	return string(r[:n/3]) + "…" + string(r[len(r)-(n-n/3-1):])
}

// wrap breaks a text at spaces.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		for len([]rune(word)) > width { // an address, perhaps
			r := []rune(word)
			if line != "" {
				lines, line = append(lines, line), ""
			}
			lines, word = append(lines, string(r[:width])), string(r[width:])
		}
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
