package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/pandobase/pando/server"
)

func superuserCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "superuser",
		Short: "Make, change and remove superusers",
		Long: `Make, change and remove superusers: people who pass every rule. Works beside a
running server.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	password := func(use, short, done string, do func(context.Context, *server.Superusers, string, string) error) {
		cmd.AddCommand(oneSuperuser(use+" EMAIL PASS", short, done, 2, func(ctx context.Context, s *server.Superusers, args []string) error {
			return do(ctx, s, args[0], args[1])
		}))
	}
	password("create", "Make a superuser", "created", func(ctx context.Context, s *server.Superusers, email, pass string) error {
		return s.Create(ctx, email, pass)
	})
	password("upsert", "Make a superuser, or give one a new password", "saved", func(ctx context.Context, s *server.Superusers, email, pass string) error {
		return s.Upsert(ctx, email, pass)
	})
	password("update", "Give a superuser a new password", "saved", func(ctx context.Context, s *server.Superusers, email, pass string) error {
		return s.Update(ctx, email, pass)
	})
	cmd.AddCommand(oneSuperuser("delete EMAIL", "Remove a superuser", "deleted", 1, func(ctx context.Context, s *server.Superusers, args []string) error {
		return s.Delete(ctx, args[0])
	}))
	return cmd
}

func oneSuperuser(use, short, done string, n int, do func(context.Context, *server.Superusers, []string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  args(cobra.ExactArgs(n)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			s, err := loadSettings(cmd.Flags(), os.Environ())
			if err != nil {
				return err
			}
			users, err := server.OpenSuperusers(s.place())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, users.Close()) }()
			if err := do(cmd.Context(), users, args); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Superuser %s %s.\n", args[0], done)
			return err
		},
	}
	addFlags(cmd.Flags(), placeFlags...)
	return cmd
}
