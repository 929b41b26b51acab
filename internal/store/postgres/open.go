package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando"
)

// starting tells whether a primary may be there in a moment: a host says so, has not
// answered yet, or is a replica, which may be promoted just now. What refuses us is not
// waited for.
func (k *nodes) starting() bool {
	failures := k.prober.failures()
	starting := false
	for _, host := range hostNames(k.s.hosts) {
		err, failed := failures[host]
		switch {
		case !failed, isStarting(err), codeOf(err) == codeTooMany, errors.Is(err, context.DeadlineExceeded):
			starting = true
		case k.s.refusal(err) != nil:
			return false
		}
	}
	return starting
}

func isStarting(err error) bool { return codeOf(err) == "57P03" }

// unreachable says in one sentence why no primary was found, and what to do.
func (k *nodes) unreachable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	failures := k.prober.failures()
	hosts := make([]string, 0, len(failures))
	for name := range failures {
		hosts = append(hosts, name)
	}
	slices.Sort(hosts)
	for _, name := range hosts { // what a server has said is more than that another is away
		if e := k.s.refusal(failures[name]); e != nil {
			return e
		}
	}
	if len(hosts) == 0 {
		problem := cmp.Or(k.watcher.Status().Problem, "no host has answered")
		return &pando.Error{
			Kind: pando.KindUnavailable,
			Message: fmt.Sprintf("There is no PostgreSQL primary among the hosts of %s (%s). Check the hosts and ports of the URL, and that one of them is a primary.",
				Mask(k.s.opts.URL), maskIn(problem, k.s.opts.URL)),
		}
	}
	each := make([]string, len(hosts))
	for i, name := range hosts {
		each[i] = name + ": " + failures[name].Error()
	}
	return &pando.Error{
		Kind: pando.KindUnavailable, Err: err,
		Message: fmt.Sprintf("No PostgreSQL server can be reached at %s (%s). Check the hosts and ports of the URL, and that the server runs and listens there.",
			Mask(k.s.opts.URL), strings.Join(each, "; ")),
	}
}

// refusal is what to do about a server that does not let us in; nil if it is
// something else.
func (s *Store) refusal(err error) error {
	code := codeOf(err)
	invalid := func(format string, args ...any) error {
		return &pando.Error{Kind: pando.KindInvalid, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case code == "28P01":
		return invalid("The password for the role %s is wrong, or the role does not exist. Check user and password in the database URL.", s.user())
	case code == "28000":
		return invalid("The server does not let the role %s into the database %s: %s. Check the URL and the server's pg_hba.conf.", s.user(), s.database(), sqlWords(err))
	case code == "3D000":
		return invalid("There is no database %s on the server. Create it (CREATE DATABASE %[1]s;) or correct the URL.", s.database())
	case code == codePrivilege:
		return invalid("The role %s may not connect to the database %s: GRANT CONNECT ON DATABASE %[2]s TO %[1]s;", s.user(), s.database())
	case code == codeTooMany:
		return &pando.Error{Kind: pando.KindUnavailable, Message: "The server has no connection free: raise its max_connections, or end other programs' connections."}
	case isStarting(err):
		return &pando.Error{Kind: pando.KindUnavailable, Message: "The server is starting up, or shutting down. Try again in a moment."}
	}
	return nil
}

// shortReason is the innermost reason of a failure to connect: everything around
// it repeats the address.
func shortReason(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Message
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer"
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return "no such host: " + e.Name
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Err != nil {
		return strings.TrimPrefix(e.Err.Error(), "connect: ")
	}
	return err.Error()
}
