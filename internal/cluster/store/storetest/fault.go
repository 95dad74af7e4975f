package storetest

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Mode is what a Fault does to those who connect through it.
type Mode int

const (
	Pass   Mode = iota // bytes go through
	Refuse             // connections are refused, those that stand are reset
	Hang               // connections are accepted, and no byte moves any more
	Error              // connections get an error of PostgreSQL and are closed
)

// Fault is a line to a server that can be cut. Its zero value is of no use.
type Fault struct {
	target string
	addr   string

	mu       sync.Mutex
	mode     Mode
	changed  chan struct{} // closed and replaced with each change of mode
	listener net.Listener  // nil while it refuses
	lines    map[net.Conn]struct{}
	running  sync.WaitGroup
}

// NewFault returns a line to the host of a PostgreSQL URL, and the URL that goes
// through it. It ends with t.
func NewFault(t testing.TB, target string) (*Fault, string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	f := &Fault{target: u.Host, addr: "127.0.0.1:0", changed: make(chan struct{}), lines: map[net.Conn]struct{}{}}
	if err := f.listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Set(t, Refuse)
		f.running.Wait()
	})
	u.Host = f.addr
	return f, u.String()
}

// Set changes the mode. Connections that stand feel it at once.
func (f *Fault) Set(t testing.TB, mode Mode) {
	t.Helper()
	f.mu.Lock()
	f.mode = mode
	close(f.changed)
	f.changed = make(chan struct{})
	listener := f.listener
	if mode == Refuse {
		f.listener = nil
	}
	if mode != Hang {
		for line := range f.lines {
			reset(line)
		}
	}
	f.mu.Unlock()
	switch {
	case mode == Refuse && listener != nil:
		listener.Close()
	case mode != Refuse && listener == nil:
		if err := f.listen(); err != nil {
			t.Fatal(err)
		}
	}
}

// reset closes a connection so that the other side gets an error and no end.
func reset(line net.Conn) {
	if tcp, ok := line.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	line.Close()
}

func (f *Fault) listen() error {
	listener, err := net.Listen("tcp", f.addr)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.addr, f.listener = listener.Addr().String(), listener
	f.mu.Unlock()
	f.running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			f.running.Go(func() { f.serve(client) })
		}
	})
	return nil
}

// now returns the mode, and a channel that is closed when it changes.
func (f *Fault) now() (Mode, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mode, f.changed
}

// hold remembers a connection, so that Set can reset it, until let.
func (f *Fault) hold(line net.Conn) (let func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lines[line] = struct{}{}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.lines, line)
		line.Close()
	}
}

func (f *Fault) serve(client net.Conn) {
	defer f.hold(client)()
	mode, changed := f.now()
	switch mode {
	case Pass:
	case Hang:
		<-changed
		return
	case Error:
		refuseStartup(client)
		return
	default:
		reset(client)
		return
	}
	upstream, err := net.Dial("tcp", f.target)
	if err != nil {
		reset(client)
		return
	}
	defer f.hold(upstream)()
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{client, upstream}, {upstream, client}} {
		f.running.Go(func() {
			f.pump(pair[0], pair[1])
			done <- struct{}{}
		})
	}
	<-done
}

// pump copies until an end, and stands still while the line hangs.
func (f *Fault) pump(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		for mode, changed := f.now(); mode == Hang; mode, changed = f.now() {
			<-changed
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			to.Close()
			return
		}
	}
}

// refuseStartup reads the first message and answers as a server that starts up
// (PostgreSQL manual, "Message Formats": ErrorResponse).
func refuseStartup(client net.Conn) {
	var size [4]byte
	if _, err := io.ReadFull(client, size[:]); err != nil {
		return
	}
	if n := binary.BigEndian.Uint32(size[:]); n >= 4 && n < 1<<16 {
		if _, err := io.CopyN(io.Discard, client, int64(n-4)); err != nil {
			return
		}
	}
	fields := "SFATAL\x00VFATAL\x00C57P03\x00Mthe database system is starting up\x00\x00"
	message := binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(fields)+4))
	_, _ = client.Write(append(message, fields...))
}
