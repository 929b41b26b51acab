package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pandobase/pando/server"
)

func nodeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "node",
		Short: "List, drain and remove web servers of a cluster",
		Long: `List, drain and remove the web servers of a cluster. All of it goes through the
database, which can be asked when no server answers.`,
		Example: `  pando node list --database postgres://pando@db1,db2,db3/app
  pando node drain 10.0.0.11:8100
  pando node remove 3fa9`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var asJSON, undo bool
	list := onNodes("list", "Show the web servers", 0, func(cmd *cobra.Command, n *server.Nodes, _ []string) error {
		nodes, err := n.List(cmd.Context())
		if err != nil {
			return err
		}
		return showNodes(cmd, nodes, asJSON)
	})
	list.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	drain := onNodes("drain SERVER", "Send no new requests to a server (its id, the beginning of it, or its address)", 1,
		func(cmd *cobra.Command, n *server.Nodes, args []string) error {
			node, err := n.Drain(cmd.Context(), args[0], !undo)
			if err != nil {
				return err
			}
			what := "is drained: load balancers send it nothing new within a second, and its event streams move on"
			if undo {
				what = "gets requests again"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Server %s at %s %s.\n", node.ID, node.Address, what)
			return err
		})
	drain.Flags().BoolVar(&undo, "undo", false, "take it back; a restart does too")
	remove := onNodes("remove SERVER", "Take a server out that is gone, after watching it for six seconds", 1,
		func(cmd *cobra.Command, n *server.Nodes, args []string) error {
			node, err := n.Remove(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Server %s at %s is out of the cluster.\n", node.ID, node.Address)
			return err
		})
	cmd.AddCommand(list, drain, remove)
	return cmd
}

func onNodes(use, short string, n int, do func(*cobra.Command, *server.Nodes, []string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  args(cobra.ExactArgs(n)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			s, err := loadSettings(cmd.Flags(), os.Environ())
			if err != nil {
				return err
			}
			nodes, err := server.OpenNodes(s.String("database"))
			if err != nil {
				return usageError{err}
			}
			defer func() { err = errors.Join(err, nodes.Close()) }()
			return do(cmd, nodes, args)
		},
	}
	addFlags(cmd.Flags(), "database")
	return cmd
}

func showNodes(cmd *cobra.Command, nodes []server.Node, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		return enc.Encode(nodes)
	}
	if len(nodes) == 0 {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "No web server is registered.")
		return err
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "SERVER\tADDRESS\tVERSION\tSTATE\tLOAD")
	for _, n := range nodes {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.2f\n", n.ID, n.Address, n.Version, n.State, n.Load)
	}
	return w.Flush()
}
