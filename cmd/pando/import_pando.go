package main

import (
	"fmt"
	"os"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/pandobase/pando/server"
)

func importPandoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pando SOURCE_DIR",
		Short: "Copy a single server's data into another database",
		Long: `Copy the data directory of a single server into an empty PostgreSQL database:
collections, records, password hashes, token secrets, settings. People who were
logged in stay logged in. Stop the server before. The source is not changed; at
the end both sides are read and compared. What the database does not take (a
view written for SQLite) is listed. A failed copy leaves no target.

With --blob files are copied to a bucket or a shared directory, which must be empty.
Without it they stay in SOURCE_DIR if --dir names it too, else they are copied to
--dir.`,
		Example: `  pando import pando ./pando_data --database postgres://pando@db.internal/app
  pando serve --database postgres://pando@db.internal/app
  pando import pando ./pando_data --database postgres://pando@db.internal/app --blob 's3://files?endpoint=https://s3.internal'`,
		Args: args(cobra.ExactArgs(1)),
		RunE: importPando,
	}
	addFlags(cmd.Flags(), placeFlags...)
	return cmd
}

func importPando(cmd *cobra.Command, args []string) error {
	s, err := loadSettings(cmd.Flags(), os.Environ())
	if err != nil {
		return err
	}
	ctx, stop := stoppable(cmd.Context())
	defer stop()
	errOut := cmd.ErrOrStderr()
	bar := newProgress(errOut)
	checking := false
	var o server.CopyOptions
	o.Report = func(text string) {
		bar.clear()
		fmt.Fprintln(errOut, "not taken over:", text)
	}
	o.Progress = func(p server.CopyProgress) {
		what := "copied"
		if p.Checking {
			what = "compared"
		}
		if p.Checking && !checking {
			bar.end()
			bar, checking = newProgress(errOut), true // with a rate of its own
		}
		bar.show(func(e elapsed) string {
			return fmt.Sprintf("%s: %s of %s records %s, %s files, %s records/s, %s left", p.Collection, humanize.Comma(int64(p.Rows)),
				humanize.Comma(int64(p.Total)), what, humanize.Comma(int64(p.Files)),
				humanize.CommafWithDigits(e.rate(float64(p.Rows)), 0), e.left(int64(p.Rows), int64(p.Total)))
		})
	}
	sum, err := server.CopyData(ctx, args[0], s.place(), o)
	bar.end()
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	for _, c := range sum.Collections {
		fmt.Fprintf(out, "%s  %s records  sha256 %s\n", c.Name, humanize.Comma(int64(c.Rows)), c.Sum[:16])
	}
	_, err = fmt.Fprintf(out, "Copied %d collections and %d views, %s records and %s files, and compared them; %d things not taken.\n",
		len(sum.Collections), sum.Views, humanize.Comma(int64(sum.Records)), humanize.Comma(int64(sum.Files)), sum.NotTaken)
	return err
}
