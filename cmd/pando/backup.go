package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/pandobase/pando/server"
)

func backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Make and restore backups",
		Long: `Make and restore backups: archives of the database and the files, consistent
with each other and checked after writing. A backup can be made while the
server serves.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	create := &cobra.Command{
		Use:     "create [FILE]",
		Short:   "Write a backup to FILE, pando-DATE.zip if it is left out",
		Example: "  pando backup create /backups/monday.zip --dir /var/lib/pando",
		Args:    args(cobra.MaximumNArgs(1)),
		RunE:    createBackup,
	}
	addFlags(create.Flags(), "dir")
	restore := &cobra.Command{
		Use:     "restore FILE",
		Short:   "Unpack a backup into an empty data directory",
		Example: "  pando backup restore /backups/monday.zip --dir ./restored",
		Args:    args(cobra.ExactArgs(1)),
		RunE:    restoreBackup,
	}
	addFlags(restore.Flags(), "dir")
	cmd.AddCommand(create, restore)
	return cmd
}

func createBackup(cmd *cobra.Command, args []string) error {
	s, err := loadSettings(cmd.Flags(), os.Environ())
	if err != nil {
		return err
	}
	path := "pando-" + time.Now().UTC().Format("20060102-150405") + ".zip"
	if len(args) > 0 {
		path = args[0]
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	bar := newProgress(cmd.ErrOrStderr(), "backup")
	info, err := server.Backup(cmd.Context(), s.String("dir"), path, version(), bar.update)
	bar.end()
	if err != nil {
		return err
	}
	return report(cmd.OutOrStdout(), info, "Backup written and checked: %s", path)
}

func restoreBackup(cmd *cobra.Command, args []string) error {
	s, err := loadSettings(cmd.Flags(), os.Environ())
	if err != nil {
		return err
	}
	info, err := server.Restore(cmd.Context(), args[0], s.String("dir"))
	if err != nil {
		return err
	}
	return report(cmd.OutOrStdout(), info, "Restored into %s", s.String("dir"))
}

func report(out io.Writer, info *server.BackupInfo, format, what string) error {
	fmt.Fprintf(out, format+" (%d entries, %s)\n", what, info.Entries, humanize.IBytes(uint64(info.Bytes)))
	for _, name := range info.Missing {
		fmt.Fprintf(out, "missing since before the backup: %s\n", name)
	}
	return nil
}

// progress shows how far something is: one line that is written over on a
// terminal, a line now and then elsewhere.
type progress struct {
	out   io.Writer
	tty   bool
	what  string
	began time.Time
	shown time.Time
	wrote bool
}

func newProgress(out io.Writer, what string) *progress {
	_, tty := terminal(out)
	return &progress{out: out, tty: tty, what: what, began: time.Now(), shown: time.Now()}
}

func (p *progress) update(entries int, bytes int64) {
	every := 10 * time.Second
	if p.tty {
		every = 100 * time.Millisecond
	}
	if time.Since(p.shown) < every {
		return
	}
	p.shown = time.Now()
	rate := float64(bytes) / time.Since(p.began).Seconds()
	line := fmt.Sprintf("%s: %d entries, %s, %s/s", p.what, entries, humanize.IBytes(uint64(bytes)), humanize.IBytes(uint64(rate)))
	if p.tty {
		fmt.Fprintf(p.out, "\r%-70s", line)
		p.wrote = true
		return
	}
	fmt.Fprintln(p.out, line)
}

func (p *progress) end() {
	if p.wrote {
		fmt.Fprintln(p.out)
	}
}
