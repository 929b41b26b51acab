package cluster

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// openDoor is a door on loopback whose HTTP side says who asked.
func openDoor(t *testing.T, text string) *Door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDoor(l, secret(t, text), "s1", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// connect is a client's connection to the door; what it has read when it is let in
// and asks is in the text.
func connect(t *testing.T, d *Door, c *TLS, id string) (string, error) {
	t.Helper()
	raw, err := net.Dial("tcp", d.listener.Addr().String())
	if err != nil {
		return "", err
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(5 * time.Second))
	conn := tls.Client(raw, c.Client(id))
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		return "", err
	}
	b, err := io.ReadAll(conn)
	return string(b), err
}

func TestDoor(t *testing.T) {
	one, two := "0123456789abcdef", "fedcba9876543210"
	d := openDoor(t, one)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello ", r.TLS.PeerCertificates[0].URIs[0])
	})}
	serving := make(chan struct{})
	go func() { defer close(serving); _ = server.Serve(d.HTTP()) }()
	ours := &http.Server{ConnContext: WithCaller, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "ours ", Caller(r.Context()))
	})}
	controlled := make(chan struct{})
	go func() { defer close(controlled); _ = ours.Serve(d.Control()) }()
	defer func() { _ = ours.Close(); <-controlled }()
	member := make(chan string, 1)
	go func() {
		for {
			c, err := d.members.Accept()
			if err != nil {
				close(member)
				return
			}
			who, _ := Peer(c.(*tls.Conn))
			_, _ = io.WriteString(c, "a member's")
			_ = c.Close()
			member <- who.ID
		}
	}()
	client := func(text string, role Role, alpn string) *TLS {
		c, err := secret(t, text).TLS(Who{Role: role, ID: "c"}, alpn, RoleWeb)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if got, err := connect(t, d, client(one, RoleLB, protocolHTTP), "s1"); err != nil || !strings.HasSuffix(got, "hello pando://lb/c") {
		t.Errorf("a load balancer gets %q, %v", got, err)
	}
	if got, err := connect(t, d, client(one, RoleWeb, protocol), "s1"); got != "a member's" {
		t.Errorf("a member gets %q, %v", got, err)
	}
	if id := <-member; id != "c" {
		t.Errorf("the member is %q", id)
	}
	for _, role := range []Role{RoleLB, RoleWeb} {
		if got, err := connect(t, d, client(one, role, protocolControl), "s1"); err != nil || !strings.HasSuffix(got, "ours {"+string(role)+" c}") {
			t.Errorf("a %s that asks for itself gets %q, %v", role, got, err)
		}
	}
	for name, c := range map[string]*TLS{
		"another secret":               client(two, RoleLB, protocolHTTP),
		"a member as a load balancer":  client(one, RoleWeb, protocolHTTP),
		"a load balancer as a member":  client(one, RoleLB, protocol),
		"a protocol that nobody talks": client(one, RoleLB, "h2"),
		"without a certificate":        {pool: client(one, RoleLB, protocolHTTP).pool, speaks: []speech{{protocolHTTP, []Role{RoleWeb}}}},
	} {
		if got, err := connect(t, d, c, "s1"); err == nil {
			t.Errorf("%s: let in, gets %q", name, got)
		}
	}
	// Who does not know what it is speaks plain HTTP, and is told.
	res, err := http.Get("http://" + d.listener.Addr().String() + "/api/health")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusMisdirectedRequest || !strings.Contains(string(body), "load balancer") {
		t.Errorf("plain HTTP gets %d %s, %v", res.StatusCode, body, err)
	}
	// A member that stops lets members in, and load balancers no more.
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	<-serving
	if got, err := connect(t, d, client(one, RoleLB, protocolHTTP), "s1"); err == nil || got != "" {
		t.Errorf("after the web server has stopped a load balancer gets %q, %v", got, err)
	}
	if got, err := connect(t, d, client(one, RoleWeb, protocol), "s1"); got != "a member's" {
		t.Errorf("after the web server has stopped a member gets %q, %v", got, err)
	}
	<-member
	http.DefaultClient.CloseIdleConnections()
}
