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
server serves. Files of --blob are in it too; they are restored into an empty
--blob.`,
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
	addFlags(create.Flags(), placeFlags...)
	restore := &cobra.Command{
		Use:     "restore FILE",
		Short:   "Unpack a backup into an empty data directory",
		Example: "  pando backup restore /backups/monday.zip --dir ./restored",
		Args:    args(cobra.ExactArgs(1)),
		RunE:    restoreBackup,
	}
	addFlags(restore.Flags(), placeFlags...)
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
	bar := newProgress(cmd.ErrOrStderr())
	info, err := server.Backup(cmd.Context(), s.place(), path, version(), func(entries int, bytes int64) {
		bar.show(func(e elapsed) string {
			return fmt.Sprintf("backup: %d entries, %s, %s/s", entries, humanize.IBytes(uint64(bytes)), humanize.IBytes(uint64(e.rate(float64(bytes)))))
		})
	})
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
	info, err := server.Restore(cmd.Context(), args[0], s.place())
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
