package web

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pandobase/pando"
)

// Life of an event stream; variables only for tests.
var (
	streamIdle  = 5 * time.Minute
	streamTotal = 30 * time.Minute
	streamWrite = 30 * time.Second // for one write to a slow client
)

var (
	headerStream     = []string{"text/event-stream"}
	headerNoStore    = []string{"no-store"}
	headerNoBuffer   = []string{"no"}
	maxSubscriptions = 1000
	maxSubscription  = 2500 // runes
)

func connectRealtime(c *call) error {
	header := c.w.Header()
	header["Content-Type"] = headerStream
	header["Cache-Control"] = headerNoStore
	header["X-Accel-Buffering"] = headerNoBuffer
	if c.r.Method == http.MethodHead {
		c.status, c.wrote = http.StatusOK, true
		return nil
	}
	client, err := c.h.cfg.Realtime.Connect(c.r.Context(), &c.req)
	if err != nil {
		header.Del("Cache-Control")
		header.Del("X-Accel-Buffering")
		return err
	}
	defer client.Close()
	c.status, c.wrote = http.StatusOK, true
	c.h.metrics.streams.Inc()
	defer c.h.metrics.streams.Dec()
	c.stream(client)
	return nil
}

// stream writes events until the client goes, the server stops, or the stream
// was silent or open for too long.
func (c *call) stream(client pando.RealtimeClient) {
	control := http.NewResponseController(c.w)
	frame := newFrame(client.ID())
	connected, _ := json.Marshal(map[string]string{"clientId": client.ID()})
	buf := frame.append(nil, pando.RealtimeEvent{Name: "PB_CONNECT", Data: connected})

	end := c.h.streams.now()
	over := end.over
	var moment <-chan time.Time
	idle, total := time.NewTimer(streamIdle), time.NewTimer(streamTotal)
	defer idle.Stop()
	defer total.Stop()
	for last := false; ; {
		_ = control.SetWriteDeadline(time.Now().Add(streamWrite))
		if len(buf) > 0 {
			if _, err := c.w.Write(buf); err != nil {
				return
			}
			if err := control.Flush(); err != nil {
				return
			}
		}
		if last {
			return
		}
		// A deadline that has passed ends an HTTP/2 stream, whether something is written or not.
		_ = control.SetWriteDeadline(time.Now().Add(streamIdle + streamWrite))
		buf = buf[:0]
		select {
		case event, open := <-client.Events():
			if !open {
				buf, last = appendComeBack(buf), true
				continue
			}
			buf = frame.append(buf, event)
			buf = frame.appendWaiting(buf, client.Events())
			idle.Reset(streamIdle)
		case <-c.r.Context().Done():
			return
		case <-over:
			over, moment = nil, end.moment()
		case <-moment:
			buf, last = appendComeBack(buf), true // who has gone comes back without
		case <-idle.C:
			return
		case <-total.C:
			return
		}
	}
}

// frame writes events of one client in the form of text/event-stream. Every
// frame's id is the client's: the SDKs read it from there.
type frame struct{ head string }

func newFrame(clientID string) frame { return frame{"id:" + clientID + "\nevent:"} }

var oneLine = strings.NewReplacer("\n", "", "\r", "")

func (f frame) append(buf []byte, e pando.RealtimeEvent) []byte {
	name := e.Name
	if strings.ContainsAny(name, "\r\n") { // it would end the line and start another field
		name = oneLine.Replace(name)
	}
	buf = append(buf, f.head...)
	buf = append(buf, name...)
	buf = append(buf, "\ndata:"...)
	buf = append(buf, e.Data...)
	return append(buf, "\n\n"...)
}

// maxBurst bounds what goes out in one write.
const maxBurst = 256 << 10

// appendWaiting adds the events that wait already, so that a burst costs one
// write and not one each.
func (f frame) appendWaiting(buf []byte, events <-chan pando.RealtimeEvent) []byte {
	for len(buf) < maxBurst {
		select {
		case e, open := <-events:
			if !open {
				return buf // the next receive sees it too
			}
			buf = f.append(buf, e)
		default:
			return buf
		}
	}
	return buf
}

func subscribeRealtime(c *call) error {
	var f struct {
		ClientID      string   `json:"clientId"`
		Subscriptions []string `json:"subscriptions"`
	}
	raw, err := c.object(genericMessage)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		if one, ok := singleSubscription(raw); ok && c.parsed != nil {
			f.ClientID, f.Subscriptions = one.ClientID, []string{one.Subscriptions}
		} else {
			return bodyError(genericMessage, err)
		}
	}
	data := pando.FieldErrors{}
	switch n := len([]rune(f.ClientID)); {
	case n == 0:
		data["clientId"] = required()
	case n > 255:
		data["clientId"] = tooLong(255, 1)
	}
	if len(f.Subscriptions) > maxSubscriptions {
		data["subscriptions"] = tooLong(maxSubscriptions, 0)
	} else if bad := longSubscriptions(f.Subscriptions); len(bad) > 0 {
		data["subscriptions"] = bad
	}
	if len(data) > 0 {
		return &pando.Error{Kind: pando.KindInvalid, Data: data}
	}
	err = c.h.cfg.Realtime.Subscribe(c.r.Context(), &c.req, f.ClientID, f.Subscriptions)
	if pando.KindOf(err) == pando.KindNotFound {
		if handled, lost := c.elsewhere(f.ClientID, f.Subscriptions); handled || lost != nil {
			return lost
		}
	}
	return c.done(err)
}

type oneSubscription struct {
	ClientID      string `json:"clientId"`
	Subscriptions string `json:"subscriptions"`
}

// singleSubscription reads what a form with one subscription looks like; JSON
// has to send a list.
func singleSubscription(raw []byte) (one oneSubscription, ok bool) {
	err := json.Unmarshal(raw, &one)
	return one, err == nil
}

func longSubscriptions(subs []string) pando.FieldErrors {
	bad := pando.FieldErrors{}
	for i, s := range subs {
		if len(s) > maxSubscription && len([]rune(s)) > maxSubscription {
			bad[strconv.Itoa(i)] = tooLong(maxSubscription, 0)
		}
	}
	return bad
}
