package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pandobase/pando"
)

func secret(t testing.TB, text string) *Secret {
	t.Helper()
	s, err := NewSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSecretsThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "there are 0",
		"short":                        "at least 16 characters; one has 5",
		strings.Repeat("a", 16) + ",b": "one has 1",
		"aaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbb cccccccccccccccc": "there are 3",
	} {
		_, err := NewSecret(text)
		if err == nil || pando.KindOf(err) != pando.KindInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if text != "" && err != nil && strings.Contains(err.Error(), text) {
			t.Errorf("the error tells the secret: %v", err)
		}
	}
}

func TestKeysAreTheSameEverywhereAndForOnePurpose(t *testing.T) {
	a, b := secret(t, "0123456789abcdef"), secret(t, "0123456789abcdef\n")
	other := secret(t, "0123456789abcdeg")
	if !bytes.Equal(a.Key("seal", 32), b.Key("seal", 32)) {
		t.Error("two servers have different keys")
	}
	if bytes.Equal(a.Key("seal", 32), a.Key("token", 32)) || bytes.Equal(a.Key("seal", 32), other.Key("seal", 32)) {
		t.Error("keys are the same that must not be")
	}
	if len(a.Key("x", 48)) != 48 {
		t.Error("wrong size")
	}
	proof := a.Proof("db")
	if !b.Proves(proof, "db") || b.Proves(proof, "other") || other.Proves(proof, "db") {
		t.Error("proofs do not prove")
	}
	rotated := secret(t, "0123456789abcdeg,0123456789abcdef")
	if !rotated.Proves(proof, "db") || rotated.Proof("db") == proof || len(rotated.Keys("seal", 32)) != 2 {
		t.Error("the second secret is not accepted, or is the one that is shown")
	}
}

// talk connects two processes over TCP and TLS, has them say a word to each other,
// and returns what each found.
func talk(t *testing.T, server, client *TLS, id string) (seen Who, serverErr, clientErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			serverErr = err
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		s := tls.Server(c, server.Server())
		if serverErr = s.Handshake(); serverErr != nil {
			return
		}
		if seen, serverErr = Peer(s); serverErr != nil {
			return
		}
		_, serverErr = s.Write([]byte("hello"))
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	s := tls.Client(c, client.Client(id))
	_, clientErr = io.ReadFull(s, make([]byte, 5))
	_ = c.Close()
	<-done
	return seen, serverErr, clientErr
}

func TestWhoMayTalk(t *testing.T) {
	make1 := func(text string, who Who, alpn string) *TLS {
		c, err := secret(t, text).TLS(who, alpn, RoleWeb)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	one, two := "0123456789abcdef", "fedcba9876543210"
	server := make1(one, Who{RoleWeb, "s1"}, protocol)
	for _, c := range []struct {
		name   string
		client *TLS
		server *TLS
		id     string
		fails  string // "": neither fails
	}{
		{"a member", make1(one, Who{RoleWeb, "s2"}, protocol), server, "s1", ""},
		{"whoever it is", make1(one, Who{RoleWeb, "s2"}, protocol), server, "", ""},
		{"another secret", make1(two, Who{RoleWeb, "s2"}, protocol), server, "s1", "does not have our secret"},
		{"another server than was meant", make1(one, Who{RoleWeb, "s2"}, protocol), server, "s3", "is server s1, not s3"},
		{"another role", make1(one, Who{RoleLB, "s2"}, protocol), server, "s1", `role "lb"`},
		{"another protocol", make1(one, Who{RoleWeb, "s2"}, "pando-lb/1"), server, "s1", "protocol"},
		{"a new secret to one who knows both", make1(two, Who{RoleWeb, "s2"}, protocol), make1(one+","+two, Who{RoleWeb, "s1"}, protocol), "s1", "does not have our secret"},
		{"both in a rotation", make1(two+","+one, Who{RoleWeb, "s2"}, protocol), make1(one+","+two, Who{RoleWeb, "s1"}, protocol), "s1", ""},
		{"one who knows both to one of the old", make1(one+","+two, Who{RoleWeb, "s2"}, protocol), server, "s1", ""},
	} {
		seen, serverErr, clientErr := talk(t, c.server, c.client, c.id)
		if c.fails == "" {
			if serverErr != nil || clientErr != nil || seen != (Who{RoleWeb, "s2"}) {
				t.Errorf("%s: %v, %v, %v", c.name, seen, serverErr, clientErr)
			}
			continue
		}
		if clientErr == nil {
			t.Errorf("%s: was let in", c.name)
		}
		if err := errors.Join(serverErr, clientErr); err == nil || !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%s: %v, want %s", c.name, err, c.fails)
		}
	}
	// Without any certificate.
	bare := &TLS{pool: server.pool, speaks: []speech{{protocol, []Role{RoleWeb}}}}
	if _, _, err := talk(t, server, bare, "s1"); err == nil {
		t.Error("one without a certificate was let in")
	}
}

// Two members over loopback, as they are in production.
func TestTransport(t *testing.T) {
	s := secret(t, "0123456789abcdef")
	var ends [2]Transport
	var members [2]Member
	for i, id := range []string{"a", "b"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		members[i] = Member{ID: id, Address: l.Addr().String()}
		door, err := NewDoor(l, s, id, nil)
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = NewTransport(door)
	}
	got := make(chan string)
	go func() {
		c, err := ends[1].Accept()
		if err != nil {
			got <- err.Error()
			return
		}
		defer c.Close()
		id, v, err := ends[1].Verify(t.Context(), c)
		if err != nil {
			got <- err.Error()
			return
		}
		_, m, err := readFrame(v)
		got <- id
		_ = err
		got <- m.(hello).ID
	}()
	c, err := ends[0].Dial(t.Context(), members[1])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(appendFrame(nil, 1, hello{ID: "a"})); err != nil {
		t.Fatal(err)
	}
	if id, said := <-got, <-got; id != "a" || said != "a" {
		t.Errorf("it is %s, and says %s", id, said)
	}
	_ = ends[0].Close()
	_ = ends[1].Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := ends[0].Dial(ctx, members[1]); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
}
