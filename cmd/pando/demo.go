package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/pandobase/pando/internal/demo"
)

func demoCommand() *cobra.Command {
	var listen string
	var load bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the whole system on this machine, to be used and broken",
		Long: `Run the whole system on this machine: two load balancers, three web servers, a
PostgreSQL primary with two replicas, and three Redis, all of them real, and found on
this machine. It tells where they are and how to break them, brings back what was
broken, and stops without a trace.`,
		Example: `  pando demo
  pando demo --load
  pando demo --listen 127.0.0.1:9000`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			addresses, err := twoAddresses(listen)
			if err != nil {
				return usageError{err}
			}
			bin, err := os.Executable()
			if err != nil {
				return err
			}
			ctx, stop := untilSignal(cmd.Context(), slog.Default())
			defer stop()
			return demo.Run(ctx, demo.Config{Bin: bin, Listen: addresses, Load: load, Out: cmd.OutOrStdout()})
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "address of the first load balancer; the second has the next port")
	cmd.Flags().BoolVar(&load, "load", false, "keep a mixed load on it, and tell every few seconds how it fares")
	return cmd
}

// twoAddresses are those of two load balancers, which must be free.
func twoAddresses(first string) ([]string, error) {
	host, text, err := net.SplitHostPort(first)
	port, notNumber := strconv.Atoi(text)
	if err != nil || notNumber != nil || port < 1 || port > 65534 {
		return nil, fmt.Errorf("--listen: %q is no address for two load balancers: write HOST:PORT with a port up to 65534", first)
	}
	list := []string{first, net.JoinHostPort(host, strconv.Itoa(port+1))}
	for _, address := range list {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("the address %s cannot be had (%w): choose another one with --listen HOST:PORT, whose next port is free too", address, err)
		}
		l.Close()
	}
	return list, nil
}
