package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/pandobase/pando/internal/cluster"
	"github.com/pandobase/pando/internal/web"
)

// peers is a member's way to the web servers of the others: what is said of an event
// stream comes to whichever server, and belongs to the one that has the connection.
type peers struct {
	node   *cluster.Node
	self   string
	front  *cluster.Front
	client *http.Client
}

// peerTime bounds a question to another member.
const peerTime = 5 * time.Second

func newPeers(node *cluster.Node, door *cluster.Door, self string) *peers {
	front := door.Front()
	p := &peers{node: node, self: self, front: front}
	p.client = &http.Client{Timeout: peerTime, Transport: &http.Transport{
		DisableCompression: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute,
		// The host of a URL is a server's id: connections are kept by it.
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			id, _, _ := net.SplitHostPort(addr)
			m, ok := node.Find(ctx, func(m cluster.Member) bool { return strings.EqualFold(m.ID, id) })
			if !ok {
				return nil, errors.New("the server " + id + " is gone")
			}
			return front.Control(ctx, m.Address, m.ID)
		},
	}}
	return p
}

func (p *peers) close() { p.client.CloseIdleConnections() }

// tagLength is enough for servers to be told apart by it.
const tagLength = 8

// clientTag is what the ids of a server's realtime clients begin with.
func clientTag(server string) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	sum := sha256.Sum256([]byte("realtime clients of " + server))
	tag := make([]byte, tagLength)
	for i := range tag {
		tag[i] = alphabet[int(sum[i])%len(alphabet)]
	}
	return string(tag)
}

// send sends a request to the server that has a realtime client; nil if there is none
// but this one.
func (p *peers) send(r *http.Request, clientID string) (*http.Response, error) {
	if len(clientID) < tagLength || strings.HasPrefix(clientID, clientTag(p.self)) {
		return nil, nil
	}
	m, ok := p.node.Find(r.Context(), func(m cluster.Member) bool { return strings.HasPrefix(clientID, clientTag(m.ID)) })
	if !ok || m.ID == p.self {
		return nil, nil
	}
	r.URL.Host = m.ID
	return p.client.Do(r)
}

// control answers load balancers and other members, who ask for themselves.
func (s *Server) control(h *web.Handler) http.Handler {
	node, relayed := s.parts.store.member.node, h.Relayed()
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+cluster.RosterPath, node.ServeRoster)
	mux.HandleFunc("POST /api/realtime", func(w http.ResponseWriter, r *http.Request) {
		if cluster.Caller(r.Context()).Role != cluster.RoleWeb {
			http.Error(w, "only servers of the cluster hand subscriptions on", http.StatusForbidden)
			return
		}
		relayed.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET "+nodePath, func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, s.node()) })
	mux.HandleFunc("GET "+systemPath, func(w http.ResponseWriter, r *http.Request) { answerJSON(w, s.whole(r.Context())) })
	if rows := s.parts.store.certificates; rows != nil {
		mux.HandleFunc("POST "+certificatesPath, serveRows(rows()))
	}
	return mux
}
