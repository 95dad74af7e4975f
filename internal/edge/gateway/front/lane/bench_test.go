package lane

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"
)

var silent = log.New(io.Discard, "", 0)

// openStandard is net/http alone with the same handler, to compare with.
func openStandard(t testing.TB, h http.Handler) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, ErrorLog: silent}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	return l.Addr().String()
}

// sites are the lane and net/http with the same handler.
func sites(t testing.TB, h http.Handler) map[string]string {
	return map[string]string{
		"lane":     open(t, &Lane{Handler: h, HeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}).address,
		"net-http": openStandard(t, h),
	}
}

const browserGet = "GET /path/of/something?with=query HTTP/1.1\r\nHost: a.test\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\n\r\n"

// ask sends text and reads an answer of hello, without allocating.
func ask(c net.Conn, text []byte, in []byte) error {
	if _, err := c.Write(text); err != nil {
		return err
	}
	for n := 0; ; {
		got, err := c.Read(in[n:])
		if err != nil {
			return err
		}
		if n += got; n > 9 && string(in[n-5:n]) == "hello" {
			return nil
		}
	}
}

func BenchmarkServe(b *testing.B) {
	for name, address := range sites(b, hello) {
		b.Run(name, func(b *testing.B) {
			c := dial(b, address)
			c.SetDeadline(time.Time{})
			in, text := make([]byte, 4096), []byte(browserGet)
			b.ReportAllocs()
			for b.Loop() {
				if err := ask(c.TCPConn, text, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkIdleTLS is BenchmarkIdle over TLS.
func BenchmarkIdleTLS(b *testing.B) {
	for name, l := range secureSites(b, hello) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(idleBytes(b, func() (net.Conn, error) { return tls.Dial("tcp", l.address, l.client) }, 500), "B/conn")
			}
		})
	}
}

func BenchmarkServeTLS(b *testing.B) {
	for name, l := range secureSites(b, hello) {
		b.Run(name, func(b *testing.B) {
			c, err := tls.Dial("tcp", l.address, l.client)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			in, text := make([]byte, 4096), []byte(browserGet)
			b.ReportAllocs()
			for b.Loop() {
				if err := ask(c, text, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkIdle reports what a connection holds that waits for its second request.
func BenchmarkIdle(b *testing.B) {
	const conns = 2000
	for name, address := range sites(b, hello) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(idleBytes(b, to(address), conns), "B/conn")
			}
		})
	}
}

// idleBytes returns the heap and stack of one of n connections that have had one answer.
func idleBytes(t testing.TB, dial func() (net.Conn, error), n int) float64 {
	in, text := make([]byte, 4096), []byte(browserGet)
	conns := make([]net.Conn, 0, n)
	before := held()
	for range n {
		c, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		if err := ask(c, text, in); err != nil {
			t.Fatal(err)
		}
	}
	after := held()
	for _, c := range conns {
		c.Close()
	}
	return (after - before) / float64(n)
}

func to(address string) func() (net.Conn, error) {
	return func() (net.Conn, error) { return net.Dial("tcp", address) }
}

// held is the memory in use that is not garbage.
func held() float64 {
	for range 3 { // what a pool holds survives one
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}
