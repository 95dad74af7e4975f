package abuse

import (
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// crowd is how many slow visitors come, as far as the system's limit of open
// files allows: each costs one here, and up to two more in either process.
func crowd(t *testing.T) int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	files.Cur = files.Max
	// Without the right to raise it, what there is must do.
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files)
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	return int(min(2000, files.Cur/5))
}

// from returns a dialer for visitor i of a crowd that comes from many addresses,
// because one address alone has its limit of connections.
func from(i int) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i/250))}, Timeout: 20 * time.Second}
}

// drip sends piece every 100 ms until the other side has had enough.
func drip(c net.Conn, piece string) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := io.WriteString(c, piece); err != nil {
			return
		}
	}
}

func TestAbuse_SlowVisitors(t *testing.T) {
	tests := []struct {
		name   string
		head   string
		attack func(net.Conn)
		memory int // MiB that the door may grow by
	}{
		{"slow headers", "GET / HTTP/1.1\r\nHost: door.test\r\n", func(c net.Conn) { drip(c, "X-A: b\r\n") }, 128},
		{"a slow request line", "GET /", func(c net.Conn) { drip(c, "x") }, 128},
		{"nothing at all", "", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, 128},
		{"a slow body", "POST /upload HTTP/1.1\r\nHost: door.test\r\nContent-Length: 100000\r\n\r\n", func(c net.Conn) { drip(c, "x") }, 256},
		{"a slow chunked body", "POST /upload HTTP/1.1\r\nHost: door.test\r\nTransfer-Encoding: chunked\r\n\r\n", func(c net.Conn) { drip(c, "1\r\nx\r\n") }, 256},
		{"slow reading", "GET /big HTTP/1.1\r\nHost: door.test\r\n\r\n", readSlowly, 256},
		{"no reading, and many requests", "GET /big HTTP/1.1\r\nHost: door.test\r\n\r\nGET /big HTTP/1.1\r\nHost: door.test\r\n\r\n", func(c net.Conn) { drip(c, "GET / HTTP/1.1\r\nHost: door.test\r\n\r\n") }, 256},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := newOrigin(t)
			d := newDoor(t, o.URL, "", "")
			d.mark(t)
			w := newWitness(d)
			n, began := crowd(t), time.Now()
			var visitors sync.WaitGroup
			var mu sync.Mutex
			stayed, longest := 0, time.Duration(0)
			turn := make(chan struct{}, 50) // connects at a time: more overflow the kernel's queue
			for i := range n {
				turn <- struct{}{}
				visitors.Go(func() {
					c, err := from(i).Dial("tcp", d.http)
					<-turn
					if err != nil {
						t.Errorf("connect: %v", err)
						return
					}
					defer c.Close()
					_ = c.(*net.TCPConn).SetReadBuffer(4 << 10) // the kernel may give more
					// Long enough to tell a busy machine from a visitor whom nobody cuts.
					_ = c.SetDeadline(time.Now().Add(40 * time.Second))
					begun := time.Now()
					_, _ = io.WriteString(c, tt.head)
					tt.attack(c)
					mu.Lock()
					defer mu.Unlock()
					longest = max(longest, time.Since(begun))
					if time.Since(begun) > 30*time.Second {
						stayed++
					}
				})
			}
			visitors.Wait()
			t.Logf("%d slow visitors came and were gone after %v; the longest stay was %v", n, time.Since(began).Round(time.Millisecond), longest.Round(time.Millisecond))
			if stayed > 0 {
				t.Errorf("%d were left to stay", stayed)
			}
			w.end(t)
			d.bounded(t, tt.memory)
			if o.bodies.Load() > 0 {
				t.Errorf("%d slow bodies were whole upstream", o.bodies.Load())
			}
		})
	}
}

// readSlowly takes a byte every 100 ms until the door has cut the connection. It
// sends one as well: only a write tells at once, what has arrived can still be read.
func readSlowly(c net.Conn) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := c.Read(make([]byte, 1)); err != nil {
			return
		}
		if _, err := io.WriteString(c, "G"); err != nil {
			return
		}
	}
}

func TestAbuse_OneAddressGetsNoMoreThanItsShare(t *testing.T) {
	o := newOrigin(t)
	d := newDoor(t, o.URL, "", "")
	w := newWitness(d)
	var open []net.Conn
	for range 700 {
		c, err := from(0).Dial("tcp", d.http)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open = append(open, c)
	}
	eventually(t, "what is too much has been closed", func() bool {
		return d.metric(t, "evergate_connections_refused_total") == float64(len(open)-512)
	})
	w.end(t)
}

func TestAbuse_PeersThatNeverSendTheirPROXYHeader(t *testing.T) {
	o := newOrigin(t)
	d := newDoor(t, o.URL, `, proxy_protocol: {from: [127.0.1.0/24], timeout: 500ms}`, "")
	d.mark(t)
	w := newWitness(d)
	n := crowd(t) / 4
	var peers sync.WaitGroup
	for i := range n {
		peers.Go(func() {
			c, err := from(i).Dial("tcp", d.http)
			if err != nil {
				t.Errorf("connect: %v", err)
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(15 * time.Second))
			_, _ = io.WriteString(c, []string{"", "PROXY TCP4 ", "\r\n\r\n\x00\r\nQUIT\n"}[i%3])
			if _, err := io.Copy(io.Discard, c); err != nil {
				if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
					t.Error("a silent peer was left to stay")
				}
			}
		})
	}
	peers.Wait()
	if got := d.metric(t, "evergate_connections_refused_total"); got != float64(n) {
		t.Errorf("%v peers counted as refused, want %d", got, n)
	}
	// For the honest, the time ends with the header: they may be quiet then.
	c, err := from(0).Dial("tcp", d.http)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\nGET /held HTTP/1.1\r\nHost: door.test\r\n\r\n")
	eventually(t, "the honest peer's request is upstream", func() bool { return o.begun.Load() == 1 })
	_ = c.SetReadDeadline(time.Now().Add(time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil || o.ended.Load() > 0 {
		t.Errorf("the honest peer was cut: %v", err)
	}
	w.end(t)
	d.bounded(t, 64)
}
