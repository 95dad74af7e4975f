package storeloss

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

// What the configuration says of chat.
const (
	chatSecret = "8f742231b10e8888abcd99yyyzzz85a5"
	chatUser   = "U024BE7LH"
)

// plan is what a configuration is made of.
type plan struct {
	name     string   // of the node
	url      string   // store.url; "": SQLite
	pollOnly bool     // store.poll_only
	backend  string   // URL of what is behind the door
	hosts    []string // sites with a lever, beside door.example, which visitors use
}

// text is the configuration of e.
func (p plan) text(e *evergate) string {
	var sites strings.Builder
	for _, host := range append([]string{"door.example"}, p.hosts...) {
		fmt.Fprintf(&sites, "  - hosts: [%s]\n    routes: [{path: /forms/*, origin: forms}, {path: /*, origin: app}]\n", host)
	}
	return fmt.Sprintf(`
node: {name: %s, data_dir: data}
listen: {http: %q, admin: %q}
store: {url: %q, poll_only: %t}
log: {access: {file: "off"}}
drain: {accept_grace: 0s, timeout: 5s}
chat:
  site: door.example
  path: /chat
  slack: {signing_secret: %s}
  users: [{slack: %s, actor: ada, role: operator}]
origins:
  app: {servers: ["%[8]s"]}
  forms: {servers: ["%[8]s"]}
sites:
%[9]s`, p.name, e.http, e.admin, p.url, p.pollOnly, chatSecret, chatUser, p.backend, sites.String())
}

// shutOf is the lever that gives a site's visitors the maintenance page.
func shutOf(host string) string { return "sites[" + host + "].maintenance" }

// limit is a lever with a number, which visitors do not feel here.
const limit = "origins.app.max_in_flight"

// backend is an application: it answers with the path and the size of what came.
func backend(t *testing.T) (url string) {
	t.Helper()
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err == nil {
			fmt.Fprintf(w, "%s %s %d", r.Method, r.URL.Path, n)
		}
	}))
	t.Cleanup(b.Close)
	return b.URL
}

// addresses counts the doors of this process.
var addresses atomic.Int32

// freeAddress is on a loopback address of its own, so that nobody takes the port
// while its door is dead.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.1:0", 1+os.Getpid()%250, 1+addresses.Add(1)%250))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
