package localcluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Etcd is the store in which Patroni's nodes agree on a leader: one member here,
// three machines in earnest.
type Etcd struct {
	as           *identity
	name, dir    string
	client, peer *Port
	proc         *program
}

// StartEtcd starts one.
func StartEtcd(ctx context.Context) (*Etcd, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	e := &Etcd{as: as}
	if e.name, e.dir, err = newNode(as, false); err != nil {
		return nil, err
	}
	if e.client, err = ReservePort(); err == nil {
		e.peer, err = ReservePort()
	}
	if err == nil {
		err = e.Start(ctx)
	}
	if err != nil {
		_ = e.Destroy()
		return nil, err
	}
	return e, nil
}

// Start starts it again after a Kill, with what it knew.
func (e *Etcd) Start(ctx context.Context) error {
	if !e.proc.ended() {
		return nil
	}
	bin, err := find("etcd", "etcd-server")
	if err != nil {
		return err
	}
	client, peer := "http://"+e.client.Addr(), "http://"+e.peer.Addr()
	proc, err := launch(e.as, e.dir, filepath.Join(e.dir, "log"), nil, bin,
		"--name", "etcd", "--data-dir", filepath.Join(e.dir, "data"), "--log-level", "warn",
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "etcd="+peer)
	if err != nil {
		return err
	}
	e.proc = proc
	return until(ctx, 10*time.Millisecond, "etcd to start", func() (bool, error) {
		if proc.ended() {
			return false, fmt.Errorf("localcluster: etcd did not start: %w\n%s", proc.err, tail(proc.log))
		}
		_, err := e.Get(ctx, "health")
		return err == nil, nil
	})
}

// Addr is host:port for clients.
func (e *Etcd) Addr() string { return e.client.Addr() }

// Get is the value of a key, "" if there is none. It is a read of the quorum,
// by the JSON form of the API.
func (e *Etcd) Get(ctx context.Context, key string) (string, error) {
	question, _ := json.Marshal(map[string][]byte{"key": []byte(key)}) // bytes are base64 in both
	var answer struct {
		KVs []struct{ Value []byte }
	}
	if err := call(ctx, http.MethodPost, "http://"+e.Addr()+"/v3/kv/range", question, &answer); err != nil {
		return "", err
	}
	if len(answer.KVs) == 0 {
		return "", nil
	}
	return string(answer.KVs[0].Value), nil
}

// Kill ends it at once; what it knew is kept.
func (e *Etcd) Kill() error {
	err := killAll(e.dir + "/")
	if err == nil && e.proc != nil {
		<-e.proc.done
	}
	return err
}

// Freeze stops it where it is.
func (e *Etcd) Freeze() error { return freeze(e.dir + "/") }

// Thaw lets it go on.
func (e *Etcd) Thaw() error { return thaw(e.dir + "/") }

// Destroy ends it and deletes what it knew.
func (e *Etcd) Destroy() error {
	if err := e.Kill(); err != nil {
		return err
	}
	e.client.Release()
	e.peer.Release()
	return os.RemoveAll(e.dir)
}
