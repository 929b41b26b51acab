package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/pandobase/pando/server"
)

func doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor [domain...]",
		Short: "Check what a server stands on, and say what to mend",
		Long: `Check the machine, the data directory, the database and the cache servers that
serve would use: versions, rights, replication, clocks, limits, memory; of domains,
which DNS record to set, and whether the ports can be had. Each line says what is
so, and what to do where something is wrong. Nothing is changed; it works beside a
running server. The exit code is 1 if something does not work.`,
		Example: `  pando doctor
  pando doctor app.example.com
  pando doctor --database postgres://pando@db1,db2,db3/app`,
		Args: args(noCommand),
		RunE: func(cmd *cobra.Command, domains []string) error {
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
			checks, err := server.Doctor(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			return showChecks(cmd, checks, asJSON)
		},
	}
	addFlags(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// errUnwell ends a command whose output has said it all.
var errUnwell = errors.New("something does not work: see the lines that begin with ✗")

func showChecks(cmd *cobra.Command, checks []server.Check, asJSON bool) error {
	out := cmd.OutOrStdout()
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(checks); err != nil {
			return err
		}
	} else {
		about := ""
		for _, c := range checks {
			if c.About != about {
				about = c.About
				fmt.Fprintln(out, about)
			}
			fmt.Fprintf(out, "  %s %s\n", map[string]string{"ok": "✓", "warn": "!", "bad": "✗"}[string(c.Level)], c.Found)
			if c.Fix != "" {
				fmt.Fprintf(out, "      %s\n", c.Fix)
			}
		}
	}
	if server.Worst(checks) == "bad" {
		return errUnwell
	}
	return nil
}
