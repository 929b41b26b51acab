package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/pandobase/pando/server"
)

func importCommand() *cobra.Command {
	var o server.ImportOptions
	var match []string
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Bring the rows of a file into a collection, or take over a PocketBase directory",
		Long: `Bring the rows of a JSON (array), NDJSON or CSV file into a collection. If there
is no such collection it is made, with types inferred from the rows and rules
closed. Works beside a running server. An import that was stopped goes on where
it was when it is run again. Rows that cannot be taken are listed with the
reason.

Rows of an auth collection may have a password, which is hashed (slow), or a
passwordHash, a bcrypt hash as another system made it. Files cannot be imported.`,
		Example: `  pando import airports.csv --collection airports --public
  pando import flights.json --collection flights --match origin=airports.iata
  pando import pocketbase ./pb_data --dir ./pando_data
  pando import pando ./pando_data --database postgres://pando@db/app`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Collection == "" {
				return usageError{errors.New("name the collection with --collection NAME")}
			}
			pairs, err := parsePairs(match)
			if err != nil {
				return err
			}
			o.Match = pairs
			return importFile(cmd, args[0], o)
		},
	}
	flags := cmd.Flags()
	addFlags(flags, placeFlags...)
	flags.StringVar(&o.Collection, "collection", "", "collection that the rows go into; made if it is not there")
	flags.StringArrayVar(&match, "match", nil, "FIELD=COLLECTION.FIELD: make FIELD a relation to the record with that value; may be given more than once")
	flags.BoolVar(&o.Public, "public", false, "let everyone list and view a new collection")
	flags.BoolVar(&o.Again, "again", false, "import a file once more that was imported before")
	cmd.AddCommand(importPocketBaseCommand(), importPandoCommand())
	return cmd
}

// parsePairs reads --match options.
func parsePairs(list []string) (map[string]string, error) {
	pairs := map[string]string{}
	for _, text := range list {
		key, to, ok := strings.Cut(text, "=")
		if !ok || key == "" || !strings.Contains(to, ".") {
			return nil, usageError{fmt.Errorf("--match %s: write it as FIELD=COLLECTION.FIELD", text)}
		}
		pairs[key] = to
	}
	return pairs, nil
}

func importFile(cmd *cobra.Command, path string, o server.ImportOptions) (err error) {
	s, err := loadSettings(cmd.Flags(), os.Environ())
	if err != nil {
		return err
	}
	data, err := server.OpenData(s.place())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	ctx, stop := stoppable(cmd.Context())
	defer stop()

	errOut := cmd.ErrOrStderr()
	bar := newProgress(errOut)
	o.Progress = func(p server.ImportProgress) {
		bar.show(func(e elapsed) string {
			return fmt.Sprintf("%s: %s rows, %s of %s, %s rows/s, %s left", o.Collection, humanize.Comma(int64(p.Rows)),
				humanize.IBytes(uint64(p.Bytes)), humanize.IBytes(uint64(p.Size)), humanize.CommafWithDigits(e.rate(float64(p.Rows-p.Resumed)), 0), e.left(p.Bytes, p.Size))
		})
	}
	o.Note = func(text string) { fmt.Fprintln(errOut, text) }
	o.Report = func(r server.ImportRowError) {
		bar.clear()
		fmt.Fprintf(errOut, "row %d not taken: %v\n", r.Number, r.Err)
	}
	sum, err := data.Import(ctx, path, o)
	bar.end()
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("stopped after %s rows; run the same command again to go on", humanize.Comma(int64(sum.Rows)))
	}
	if err != nil {
		return err
	}
	made := ""
	if sum.Created {
		made = " (new)"
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s rows imported into %s%s", humanize.Comma(int64(sum.Rows)), sum.Collection.Name, made)
	if sum.Resumed > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), ", %s were dealt with before", humanize.Comma(int64(sum.Resumed)))
	}
	fmt.Fprintf(cmd.OutOrStdout(), ", %s not taken.\n", humanize.Comma(int64(sum.Failed)))
	if sum.Locked > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "%s of them have no password: nobody can log in with one until it is set.\n", humanize.Comma(int64(sum.Locked)))
	}
	return nil
}

func importPocketBaseCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pocketbase SOURCE_DIR",
		Short: "Make a data directory of a PocketBase one",
		Long: `Take over a PocketBase data directory (0.36 or later): collections, records,
password hashes, token secrets, settings and files. People who were logged in
stay logged in. The source is not changed; stop PocketBase before. What cannot
be taken over is listed. With --blob files go into a bucket or a shared directory,
which must be empty.`,
		Example: "  pando import pocketbase ./pb_data --dir ./pando_data",
		Args:    args(cobra.ExactArgs(1)),
		RunE:    importPocketBase,
	}
	addFlags(cmd.Flags(), placeFlags...)
	return cmd
}

func importPocketBase(cmd *cobra.Command, args []string) error {
	s, err := loadSettings(cmd.Flags(), os.Environ())
	if err != nil {
		return err
	}
	ctx, stop := stoppable(cmd.Context())
	defer stop()
	errOut := cmd.ErrOrStderr()
	bar := newProgress(errOut)
	var o server.TakeOverOptions
	o.Report = func(text string) {
		bar.clear()
		fmt.Fprintln(errOut, "not taken over:", text)
	}
	o.Progress = func(p server.TakeOverProgress) {
		bar.show(func(e elapsed) string {
			return fmt.Sprintf("%s: %s of %s records, %s files, %s records/s, %s left", p.Collection, humanize.Comma(int64(p.Rows)),
				humanize.Comma(int64(p.Total)), humanize.Comma(int64(p.Files)), humanize.CommafWithDigits(e.rate(float64(p.Rows)), 0), e.left(int64(p.Rows), int64(p.Total)))
		})
	}
	sum, err := server.TakeOverPocketBase(ctx, args[0], s.place(), o)
	bar.end()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "Took over %d collections, %s records and %s files into %s; %d things not taken.\n",
		sum.Collections, humanize.Comma(int64(sum.Records)), humanize.Comma(int64(sum.Files)), s.String("dir"), sum.NotTaken)
	return err
}

// stoppable ends its context when the user interrupts.
func stoppable(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}
