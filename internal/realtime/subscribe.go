package realtime

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/wire"
)

// subscription is one topic of one client. It is immutable.
type subscription struct {
	client  *client
	name    string // as the client wrote it, options included: the name of its events
	topic   string
	options string // their text: equal texts mean equal answers
	filter  string
	expand  string
	fields  *wire.Picker // nil: everything
	request pando.Request
}

// What a subscription takes, in bytes: what is made of it, and for each byte of
// its name the name itself and its options, decoded.
const (
	costOfSubscription = 600
	costOfName         = 4
)

// Subscribe replaces what a client is subscribed to, and makes req.Auth the
// connection's identity. It fails with KindNotFound for an unknown client,
// KindInvalid if the call comes from another address than the connection,
// KindForbidden if the connection is somebody else's, KindUnavailable if the
// subscriptions of all clients would take too much memory, or the store cannot be
// asked for the identity. If it fails the subscriptions are those of before.
func (s *Realtime) Subscribe(ctx context.Context, req *pando.Request, clientID string, names []string) error {
	s.mu.RLock()
	c := s.clients[clientID]
	s.mu.RUnlock()
	if c == nil {
		return unknownClient()
	}
	if c.ip != req.RealIP {
		return pando.Invalid("Invalid realtime client.")
	}
	subs := make([]*subscription, 0, len(names))
	seen := make(map[string]bool, len(names))
	cost := 0
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			subs = append(subs, parseSubscription(c, name))
			cost += costOfSubscription + costOfName*len(name)
		}
	}
	if err := s.identify(ctx, c, req.Auth); err != nil {
		return err
	}
	return s.replace(c, subs, cost)
}

// replace makes subs what a client is subscribed to.
func (s *Realtime) replace(c *client, subs []*subscription, cost int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[c.id] != c { // it left meanwhile
		return unknownClient()
	}
	if s.cost-c.cost+cost > s.limits.subscriptions {
		return &pando.Error{
			Kind: pando.KindUnavailable, Message: "The server has no room for more subscriptions now. Please try again later.",
		}
	}
	s.unsubscribe(c)
	c.subs, c.cost = subs, cost
	s.cost += cost
	for _, sub := range subs {
		set := s.topics[sub.topic]
		if set == nil {
			set = map[*subscription]bool{}
			s.topics[sub.topic] = set
		}
		set[sub] = true
	}
	return nil
}

func unknownClient() error {
	return &pando.Error{Kind: pando.KindNotFound, Message: "Missing or invalid client id."}
}

// unsubscribe takes a client out of the topics; the caller holds the lock.
func (s *Realtime) unsubscribe(c *client) {
	for _, sub := range c.subs {
		set := s.topics[sub.topic]
		delete(set, sub)
		if len(set) == 0 {
			delete(s.topics, sub.topic)
		}
	}
	s.cost -= c.cost
	c.subs, c.cost = nil, 0
}

// parseSubscription reads `topic?options={"query":{…},"headers":{…}}`. Options
// that cannot be read count as none.
func parseSubscription(c *client, name string) *subscription {
	topic, query, _ := strings.Cut(name, "?")
	sub := &subscription{
		client: c, name: name, topic: topic,
		request: pando.Request{Context: "realtime", Method: "GET", RealIP: c.ip},
	}
	values, _ := url.ParseQuery(query)
	text := values.Get("options")
	var o struct {
		Query   map[string]any `json:"query"`
		Headers map[string]any `json:"headers"`
	}
	if text == "" || json.Unmarshal([]byte(text), &o) != nil {
		return sub
	}
	sub.options = text
	sub.request.Query = lookup(o.Query, func(k string) string { return k })
	sub.request.Header = lookup(o.Headers, snakeCase)
	sub.filter, _ = sub.request.Query("filter")
	sub.expand, _ = sub.request.Query("expand")
	if fields, ok := sub.request.Query("fields"); ok {
		sub.fields, _ = wire.ParseFields(fields) // a bad one picks everything
	}
	return sub
}

func lookup(values map[string]any, rename func(string) string) func(string) (string, bool) {
	texts := make(map[string]string, len(values))
	for k, v := range values {
		texts[rename(k)] = textOf(v)
	}
	return func(name string) (string, bool) {
		v, ok := texts[name]
		return v, ok
	}
}

// snakeCase is how rules spell the name of a header.
func snakeCase(header string) string {
	return strings.ReplaceAll(strings.ToLower(header), "-", "_")
}

func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
