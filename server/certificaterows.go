package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/pandobase/pando/internal/certs"
	"github.com/pandobase/pando/internal/cluster"
)

// certificatesPath is where load balancers reach the rows of certificates in their
// cluster's database by way of a member, so that they need no right to write there.
// What goes over it is sealed; members and load balancers have the key.
const certificatesPath = "/.pando/certificates"

// rowsCall is a call of a method of certs.Rows, rowsAnswer what it returned.
type rowsCall struct {
	Call   string        `json:"call"` // put, get, keys, remove, claim, release
	Key    string        `json:"key"`
	Value  []byte        `json:"value,omitempty"`
	Holder string        `json:"holder,omitempty"`
	For    time.Duration `json:"for,omitempty"`
}

type rowsAnswer struct {
	OK      bool      `json:"ok"`
	Value   []byte    `json:"value,omitempty"`
	Changed time.Time `json:"changed,omitzero"`
	Keys    []string  `json:"keys,omitempty"`
}

// maxRow is more than a chain of certificates has.
const maxRow = 1 << 20

// serveRows carries out calls of load balancers.
func serveRows(rows certs.Rows) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if cluster.Caller(r.Context()).Role != cluster.RoleLB {
			http.Error(w, "only load balancers of the cluster keep certificates by way of a server", http.StatusForbidden)
			return
		}
		var c rowsCall
		if err := json.NewDecoder(io.LimitReader(r.Body, maxRow)).Decode(&c); err != nil {
			http.Error(w, "it is no call", http.StatusBadRequest)
			return
		}
		answer, err := c.run(r.Context(), rows)
		switch {
		case errors.Is(err, errNoCall):
			http.Error(w, err.Error(), http.StatusBadRequest)
		case err != nil:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		default:
			answerJSON(w, answer)
		}
	}
}

var errNoCall = errors.New("there is no such call")

func (c rowsCall) run(ctx context.Context, rows certs.Rows) (a rowsAnswer, err error) {
	switch c.Call {
	case "put":
		err = rows.Put(ctx, c.Key, c.Value)
	case "get":
		a.Value, a.Changed, a.OK, err = rows.Get(ctx, c.Key)
	case "keys":
		a.Keys, err = rows.Keys(ctx, c.Key)
	case "remove":
		err = rows.Remove(ctx, c.Key)
	case "claim":
		a.OK, err = rows.Claim(ctx, c.Key, c.Holder, c.For)
	case "release":
		err = rows.Release(ctx, c.Key, c.Holder)
	default:
		err = errNoCall
	}
	return a, err
}

// remoteRows are those rows as a load balancer has them. Any member will do; one that
// does not answer is passed over.
type remoteRows struct{ members *members }

var _ certs.Rows = remoteRows{}

func (m remoteRows) ask(ctx context.Context, c rowsCall) (a rowsAnswer, err error) {
	body, err := json.Marshal(c)
	if err != nil {
		return a, err
	}
	err = errors.New("no web server of the cluster is known yet")
	for _, to := range m.members.known() {
		var answer []byte
		if answer, err = m.members.front.Ask(ctx, to.Address, to.ID, http.MethodPost, certificatesPath, body); err == nil {
			return a, json.Unmarshal(answer, &a)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return a, err
}

func (m remoteRows) Put(ctx context.Context, key string, value []byte) error {
	_, err := m.ask(ctx, rowsCall{Call: "put", Key: key, Value: value})
	return err
}

func (m remoteRows) Get(ctx context.Context, key string) ([]byte, time.Time, bool, error) {
	a, err := m.ask(ctx, rowsCall{Call: "get", Key: key})
	return a.Value, a.Changed, a.OK, err
}

func (m remoteRows) Keys(ctx context.Context, dir string) ([]string, error) {
	a, err := m.ask(ctx, rowsCall{Call: "keys", Key: dir})
	return a.Keys, err
}

func (m remoteRows) Remove(ctx context.Context, key string) error {
	_, err := m.ask(ctx, rowsCall{Call: "remove", Key: key})
	return err
}

func (m remoteRows) Claim(ctx context.Context, name, holder string, d time.Duration) (bool, error) {
	a, err := m.ask(ctx, rowsCall{Call: "claim", Key: name, Holder: holder, For: d})
	return a.OK, err
}

func (m remoteRows) Release(ctx context.Context, name, holder string) error {
	_, err := m.ask(ctx, rowsCall{Call: "release", Key: name, Holder: holder})
	return err
}
