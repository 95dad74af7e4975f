package demo

import (
	"bytes"
	"context"
	_ "embed" // of the configuration
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/evergate/evergate/internal/server"
)

// Where the door listens if nobody else does. A person can remember them.
const (
	friendlyHTTP  = "127.0.0.1:8080"
	friendlyHTTPS = "127.0.0.1:8443"
	friendlyAdmin = "127.0.0.1:8090"
	anyPort       = "127.0.0.1:0"
)

//go:embed evergate.yaml.tmpl
var configText string

// tryTimeout is the door's limit for one attempt, shorter than a slow answer.
const tryTimeout = time.Second

// door is an Evergate like any other, with its configuration in a folder that
// goes when it does.
type door struct {
	dir     string
	config  string // path of the configuration
	at      server.Addresses
	log     lastLines // its own log
	stop    context.CancelFunc
	stopped chan struct{} // closed when it has drained
	err     error         // of its run; after stopped
}

// openDoor starts Evergate before the servers, on address ("" for the friendly
// one, or any), and returns when it serves. accessLog gets its access log.
func openDoor(ctx context.Context, address string, servers []string, accessLog io.Writer) (*door, error) {
	listen, err := httpAddress(address)
	if err != nil {
		return nil, err
	}
	d := &door{stopped: make(chan struct{})}
	if d.dir, err = os.MkdirTemp("", "evergate-demo-"); err != nil { // 0700
		return nil, fmt.Errorf("make a folder for the demo: %w", err)
	}
	if err := d.open(ctx, listen, servers, accessLog); err != nil {
		return nil, errors.Join(err, os.RemoveAll(d.dir))
	}
	return d, nil
}

func (d *door) open(ctx context.Context, listen string, servers []string, accessLog io.Writer) error {
	var text bytes.Buffer
	values := map[string]any{"HTTP": listen, "HTTPS": freeOr(friendlyHTTPS), "Admin": freeOr(friendlyAdmin),
		"Servers": servers, "TryTimeout": tryTimeout}
	if err := template.Must(template.New("").Parse(configText)).Execute(&text, values); err != nil {
		return fmt.Errorf("write the demo's configuration: %w", err)
	}
	d.config = filepath.Join(d.dir, "evergate.yaml")
	if err := os.WriteFile(d.config, text.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write the demo's configuration: %w", err)
	}
	ready := make(chan server.Addresses, 1)
	s, err := server.New(d.config, server.Options{Log: &d.log, Stdout: accessLog, Ready: func(a server.Addresses) { ready <- a }})
	if err != nil {
		return fmt.Errorf("build the door: %w", err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx)) // it drains last
	d.stop = stop
	go func() {
		defer close(d.stopped)
		d.err = s.Run(running)
	}()
	select {
	case d.at = <-ready:
		return nil
	case <-d.stopped:
		stop()
		return fmt.Errorf("open the door: %w", d.err)
	}
}

// close drains the door and removes its folder.
func (d *door) close() error {
	d.stop()
	<-d.stopped
	return errors.Join(d.err, os.RemoveAll(d.dir))
}

// httpAddress is where the door should listen. An address that somebody asked for
// is taken or refused; the friendly one gives way.
func httpAddress(asked string) (string, error) {
	if asked == "" {
		return freeOr(friendlyHTTP), nil
	}
	listener, err := net.Listen("tcp", asked)
	if err != nil {
		return "", fmt.Errorf("%w; choose another address with --listen, or leave it out for any free port", err)
	}
	return asked, listener.Close()
}

// freeOr is address if nobody listens there, else any port.
func freeOr(address string) string {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return anyPort
	}
	listener.Close()
	return address
}

// lastLines keeps the end of a log, to be shown if the demo fails. Safe for
// concurrent use.
type lastLines struct {
	mu   sync.Mutex
	text []byte
}

func (l *lastLines) Write(p []byte) (int, error) {
	const most = 4 << 10
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if len(l.text) > 2*most {
		l.text = append([]byte(nil), l.text[len(l.text)-most:]...)
	}
	return len(p), nil
}

func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(string(l.text))
}
