// Command pando runs and looks after a Pando server.
//
// Results go to stdout, logs and errors to stderr. The exit code is 0 if all
// went well, 1 if something failed, 2 if the command line or the configuration
// was wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pandobase/pando"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// usageError is a command line or configuration that cannot be right.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "Error:", errorText(err))
	var usage usageError
	if errors.As(err, &usage) || strings.HasPrefix(err.Error(), "unknown command") {
		fmt.Fprintf(stderr, "Run '%s --help' for usage.\n", command.CommandPath())
		return 2
	}
	return 1
}

// errorText is what people read: the sentence, with the cause where there is
// one.
func errorText(err error) string {
	e, ok := errors.AsType[*pando.Error](err)
	if !ok || e.Message == "" {
		return err.Error()
	}
	text := e.Message
	for field, what := range e.Data {
		text += fmt.Sprintf("\n  %s: %v", field, what)
	}
	if e.Err != nil {
		text += "\n  cause: " + e.Err.Error()
	}
	return text
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "pando",
		Short: "An app backend in one binary: web API, database and cache",
		Long: `Pando is an app backend in one binary: web API, database and cache in one
process. Its web API is PocketBase's, so the official SDKs work with it.`,
		Example: `  pando serve
  pando serve --http 0.0.0.0:8080 --dir /var/lib/pando
  pando superuser upsert me@example.com 'a long password'`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
	}
	root.SetVersionTemplate("pando {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{suggestFlag(cmd, err)}
	})
	// PocketBase spells its flags in camel case; both spellings are taken.
	root.SetGlobalNormalizationFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(kebab(name))
	})
	root.AddCommand(serveCommand(), nodeCommand(), lbCommand(), demoCommand(), superuserCommand(), configCommand(), backupCommand(), importCommand(), doctorCommand(), statusCommand(), versionCommand())
	return root
}

// args makes wrong numbers of arguments usage errors.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{fmt.Errorf("%w\nUsage: %s", err, cmd.UseLine())}
		}
		return nil
	}
}

// suggestFlag adds the flag that was probably meant.
func suggestFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := nearest(kebab(unknown.GetSpecifiedName()), names); near != "" {
		return fmt.Errorf("%w (did you mean --%s?)", err, near)
	}
	return err
}
