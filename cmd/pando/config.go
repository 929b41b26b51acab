package main

import (
	"encoding/json"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show and check the configuration",
		Args:  args(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var asJSON, origin bool
	show := &cobra.Command{
		Use:   "show",
		Short: "Show the configuration that serve would use",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := loadSettings(cmd.Flags(), os.Environ())
			if err != nil {
				return err
			}
			if _, err := s.config(); err != nil {
				return err
			}
			if _, err := s.logLevel(); err != nil {
				return err
			}
			return showSettings(cmd, s, asJSON, origin)
		},
	}
	addFlags(show.Flags())
	show.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	show.Flags().BoolVar(&origin, "origin", false, "where each value comes from")
	cmd.AddCommand(show)
	return cmd
}

func showSettings(cmd *cobra.Command, s *settings, asJSON, origin bool) error {
	if asJSON {
		type value struct {
			Value  string `json:"value"`
			Origin string `json:"origin"`
		}
		out := map[string]value{}
		for _, o := range options {
			out[o.name] = value{s.shown(o.name), s.origin[o.name]}
		}
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		return enc.Encode(out)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	for _, o := range options {
		line := o.name + "\t" + s.shown(o.name)
		if origin {
			line += "\t(" + s.origin[o.name] + ")"
		}
		fmt.Fprintln(w, line)
	}
	return w.Flush()
}
