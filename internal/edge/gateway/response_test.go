package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func TestResponse_InterimAnswersPassAndDoNotCount(t *testing.T) {
	d := newDoor(t, plain)
	d.servers.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusAccepted)
	}
	s := d.listen()
	var hints []string
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		hints = append(hints, fmt.Sprint(code, h.Get("Link"), h.Get("X-Request-Id")))
		return nil
	}})
	r, err := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "shop.test"
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if x := d.seen(); res.StatusCode != 202 || x.Status != 202 || len(hints) != 1 || hints[0] != "103</style.css>" {
		t.Errorf("%d, exchange %d, interim %v", res.StatusCode, x.Status, hints)
	}
}

// taking is a writer that can be copied into.
type taking struct {
	*httptest.ResponseRecorder
	from io.Reader
}

func (w *taking) ReadFrom(r io.Reader) (int64, error) {
	w.from = r
	return io.Copy(w.ResponseRecorder, r)
}

func TestResponse_ReadFromReachesTheWriterBeneath(t *testing.T) {
	d := newDoor(t, plain)
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString("from a file"); err != nil {
		t.Fatal(err)
	}
	d.servers.answer = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = file.Seek(0, io.SeekStart)
		_, _ = w.(io.ReaderFrom).ReadFrom(file)
	}
	w := &taking{ResponseRecorder: httptest.NewRecorder()}
	d.ServeHTTP(w, request("GET", "/"))
	if x := d.seen(); w.from != file || w.Body.String() != "from a file" || x.BytesOut != 11 || x.Status != 200 {
		t.Errorf("read from %T, body %q, %d bytes, status %d", w.from, w.Body, x.BytesOut, x.Status)
	}

	t.Run("but what is compressed does not", func(t *testing.T) {
		d.servers.answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = file.Seek(0, io.SeekStart)
			_, _ = w.(io.ReaderFrom).ReadFrom(file)
		}
		w := &taking{ResponseRecorder: httptest.NewRecorder()}
		d.ServeHTTP(w, request("GET", "/", "Accept-Encoding: gzip"))
		if x := d.seen(); w.from != nil || unzip(t, "gzip", w.Body) != "from a file" || x.BytesOut == 0 {
			t.Errorf("read from %T, %d bytes", w.from, x.BytesOut)
		}
	})
}

func unzip(t *testing.T, coding string, r io.Reader) string {
	t.Helper()
	switch coding {
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		r = z
	case "zstd":
		z, err := zstd.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		r = z
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestResponse_Compression(t *testing.T) {
	long := strings.Repeat("all work and no play ", 200)
	tests := []struct {
		name, method, accept, coding string
	}{
		{"gzip", "GET", "gzip, br", "gzip"},
		{"zstd", "GET", "gzip, zstd", "zstd"},
		{"none", "GET", "br", ""},
		{"HEAD is answered like GET", "HEAD", "gzip", "gzip"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoor(t, plain)
			d.servers.answer = func(w http.ResponseWriter, r *http.Request) {
				h := w.Header()
				h.Set("Content-Type", "text/plain")
				h.Set("Content-Length", fmt.Sprint(len(long)))
				h.Set("Etag", `"1"`)
				w.WriteHeader(200)
				if r.Method != "HEAD" {
					_, _ = io.WriteString(w, long)
				}
			}
			for range 2 { // with an encoder out of the pool
				res := d.serve(request(tt.method, "/", "Accept-Encoding: "+tt.accept))
				x, h := d.seen(), res.Header
				if h.Get("Content-Encoding") != tt.coding || h.Get("Vary") != "Accept-Encoding" {
					t.Errorf("header %v", h)
				}
				if d.servers.last().Header.Get("Accept-Encoding") != tt.accept {
					t.Errorf("the server was asked for %v", d.servers.last().Header)
				}
				if tt.coding != "" && (h.Get("Etag") != `W/"1"` || h["Content-Length"] != nil) {
					t.Errorf("header %v", h)
				}
				if tt.method == "HEAD" {
					continue
				}
				body := text(t, res)
				if int64(len(body)) != x.BytesOut || unzip(t, tt.coding, strings.NewReader(body)) != long {
					t.Errorf("%d bytes, exchange says %d", len(body), x.BytesOut)
				}
			}
		})
	}
}

func TestResponse_TheVisitorsAcceptEncodingCountsNotTheServers(t *testing.T) {
	d := newDoor(t, strings.Replace(plain, "origin: shop}", "origin: shop, headers: {request: {set: {Accept-Encoding: identity}}}}", 1))
	res := d.serve(request("GET", "/", "Accept-Encoding: gzip"))
	if got := d.servers.last().Header.Get("Accept-Encoding"); got != "identity" || res.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("the server was asked for %q, the visitor got %q", got, res.Header.Get("Content-Encoding"))
	}
}

func TestResponse_ACutBodyIsNotEndedByItsEncoder(t *testing.T) {
	d := newDoor(t, plain)
	d.servers.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "half")
		_ = w.(interface{ FlushError() error }).FlushError()
		panic(http.ErrAbortHandler)
	}
	w := httptest.NewRecorder()
	if !d.aborts(w, request("GET", "/", "Accept-Encoding: gzip")) {
		t.Error("not aborted")
	}
	z, err := gzip.NewReader(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(z); string(b) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", b, err)
	}
}

func TestResponse_EventsArriveOneByOneThroughTheEncoder(t *testing.T) {
	for _, accept := range []string{"", "gzip", "gzip, zstd"} {
		t.Run(accept, func(t *testing.T) {
			d := newDoor(t, plain)
			next := make(chan string)
			d.servers.answer = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for event := range next {
					_, _ = io.WriteString(w, event)
					_ = http.NewResponseController(w).Flush()
				}
			}
			s := d.listen()
			r, err := http.NewRequest("GET", s.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = "shop.test"
			r.Header.Set("Accept-Encoding", accept)
			go func() { next <- "data: 1\n\n" }()
			res, err := s.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body := io.Reader(res.Body)
			if accept != "" {
				if got := res.Header.Get("Content-Encoding"); got != "gzip" {
					t.Fatalf("encoding %q", got)
				}
				if body, err = gzip.NewReader(body); err != nil {
					t.Fatal(err)
				}
			}
			lines := bufio.NewReader(body)
			for i := 1; ; i++ {
				if line, err := lines.ReadString('\n'); line != fmt.Sprintf("data: %d\n", i) {
					t.Fatalf("%q, %v", line, err)
				}
				_, _ = lines.ReadString('\n')
				if i == 3 {
					break
				}
				next <- fmt.Sprintf("data: %d\n\n", i+1)
			}
			close(next)
			if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil {
				t.Errorf("then %q, %v", rest, err)
			}
		})
	}
}

func TestResponse_AHijackedConnectionGetsTheHeaderToo(t *testing.T) {
	d := newDoor(t, `listen: {http: ":80"}`+oneOrigin+`
sites: [{hosts: [shop.test], routes: [{path: /*, origin: shop, headers: {response: {set: {X-Door: "1"}}}}]}]
`)
	d.servers.answer = func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(wrapped{w}).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		responseOf(w).x.Status, responseOf(w).x.Upgraded = 101, true
		h := w.Header()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nX-Door: %s\r\nX-Request-Id: %s\r\nConnection: %s\r\n\r\nbye",
			h.Get("X-Door"), h.Get("X-Request-Id"), h.Get("Connection"))
	}
	s := d.listen()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	all, err := io.ReadAll(c)
	x := d.seen()
	if want := "X-Door: 1\r\nX-Request-Id: " + x.ID + "\r\nConnection: \r\n\r\nbye"; err != nil || !strings.HasSuffix(string(all), want) {
		t.Errorf("%q, %v", all, err)
	}
	if x.Status != 101 || x.Abort != "" {
		t.Errorf("status %d, abort %q", x.Status, x.Abort)
	}
}
