package api

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/token"
)

// overSocket serves f on a unix socket and returns a client for it.
func overSocket(t *testing.T, f *fixture) *http.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "eg") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f.handler, ConnContext: PeerContext, ReadHeaderTimeout: time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-served
	})
	return &http.Client{Transport: transport}
}

func TestTheSocketsPeerIsAnAdminUnderItsOwnName(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Skip("needs a user name")
	}
	f := newFixture(t)
	client := overSocket(t, f)
	t.Setenv("SUDO_USER", "somebody")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://localhost"+base+"/levers/origins.booking.paused", strings.NewReader(`{"value": true, "version": 0, "reason": "x"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK || f.levers.changes[0].Actor != me.Username {
		t.Errorf("%d %s, changes %+v", resp.StatusCode, body, f.levers.changes)
	}
}

func TestAUserWithoutANameIsANumber(t *testing.T) {
	p := &peer{uid: 4_000_000_001, known: true}
	if got := p.actor(); got != "uid:4000000001" {
		t.Errorf("got %q", got)
	}
}

func TestAPeerThatNobodyVouchesForIsRefused(t *testing.T) {
	f := newFixture(t)
	r := f.request(http.MethodGet, base+"/status", "")
	r.Header.Del("Authorization")
	problemIn(t, f.do(r.WithContext(context.WithValue(r.Context(), peerKey{}, &peer{}))), http.StatusForbidden, kindRole)
}

func TestPeerContext_LeavesTCPAlone(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if p := peerOf(PeerContext(t.Context(), conn)); p != nil {
		t.Errorf("got %+v", p)
	}
}

var _ Tokens = (*token.Keeper)(nil)
