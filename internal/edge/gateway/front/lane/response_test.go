package lane

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestResponse_IsThatOfNetHTTP(t *testing.T) {
	big := long(300 << 10)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(big), 0o600); err != nil {
		t.Fatal(err)
	}
	post := func(body string) string {
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	const head = "HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n"
	set := func(w http.ResponseWriter, pairs ...string) {
		w.Header()["Content-Type"] = nil // nothing is guessed
		for i := 0; i < len(pairs); i += 2 {
			w.Header().Add(pairs[i], pairs[i+1])
		}
	}
	type W = http.ResponseWriter
	tests := []struct {
		name    string
		request string        // "": GET
		lane    func(s *said) // the documented difference: makes net/http's the lane's
		handler func(w W, r *http.Request)
	}{
		{"nothing is done", "", nil, func(W, *http.Request) {}},
		{"nothing is done for HEAD", head, nil, func(W, *http.Request) {}},
		{"nothing is done for POST", post("hello"), nil, func(W, *http.Request) {}},
		{"only a header", "", nil, func(w W, _ *http.Request) { set(w, "X", "1") }},
		{"a status without body", "", chunked, func(w W, _ *http.Request) { set(w); w.WriteHeader(404) }},
		{"a body with length", "", nil, func(w W, _ *http.Request) { set(w, "Content-Length", "5"); io.WriteString(w, "hello") }},
		{"a body in pieces with length", "", nil, func(w W, _ *http.Request) {
			set(w, "Content-Length", "5")
			io.WriteString(w, "he")
			io.WriteString(w, "")
			io.WriteString(w, "llo")
		}},
		{"a body without length", "", chunked, func(w W, _ *http.Request) { set(w); io.WriteString(w, "hello") }},
		{"a large body without length", "", nil, func(w W, _ *http.Request) { set(w); io.WriteString(w, big) }},
		{"a large body with length", "", nil, func(w W, _ *http.Request) {
			set(w, "Content-Length", fmt.Sprint(len(big)))
			io.WriteString(w, big)
		}},
		{"very many small pieces", "", nil, func(w W, _ *http.Request) {
			set(w)
			for range 10000 {
				io.WriteString(w, "abc")
			}
		}},
		{"pieces around the size of the buffer", "", nil, func(w W, _ *http.Request) {
			set(w)
			for n := outSize - 300; n < outSize+10; n++ {
				io.WriteString(w, big[:n])
			}
		}},
		{"too short", "", nil, func(w W, _ *http.Request) { set(w, "Content-Length", "9"); io.WriteString(w, "hello") }},
		{"too short by all", "", nil, func(w W, _ *http.Request) { set(w, "Content-Length", "9"); w.WriteHeader(200) }},
		{"much too short", "", nil, func(w W, _ *http.Request) { set(w, "Content-Length", "500000"); io.WriteString(w, big) }},
		{"too long", "", func(s *said) { s.again = true }, func(w W, _ *http.Request) {
			set(w, "Content-Length", "5")
			io.WriteString(w, "hello")
			if n, err := io.WriteString(w, "x"); n != 0 || !errors.Is(err, http.ErrContentLength) {
				t.Errorf("write beyond the length: %d, %v", n, err)
			}
		}},
		{"too long at once", "", nil, func(w W, _ *http.Request) { set(w, "Content-Length", "3"); io.WriteString(w, "hello") }},
		{"a length of 0", "", nil, func(w W, _ *http.Request) { set(w, "Content-Length", "0") }},
		{"a length that is none", "", chunked, func(w W, _ *http.Request) { set(w, "Content-Length", "five"); io.WriteString(w, "hello") }},
		{"a negative length", "", chunked, func(w W, _ *http.Request) { set(w, "Content-Length", "-5"); io.WriteString(w, "hello") }},
		{"a length that overflows", "", chunked, func(w W, _ *http.Request) {
			set(w, "Content-Length", "9223372036854775808")
			io.WriteString(w, "hello")
		}},
		{"HEAD with length", head, nil, func(w W, _ *http.Request) { set(w, "Content-Length", "5"); io.WriteString(w, "hello") }},
		{"HEAD without length", head, func(s *said) { s.length, s.header = -1, without(s.header, "Content-Length") }, func(w W, _ *http.Request) {
			set(w)
			io.WriteString(w, "hello")
		}},
		{"HEAD that writes nothing", head, nil, func(w W, _ *http.Request) { set(w); w.WriteHeader(200) }},
		{"204", "", nil, func(w W, _ *http.Request) { set(w); w.WriteHeader(204) }},
		{"204 with length and body", "", nil, func(w W, _ *http.Request) {
			set(w, "Content-Length", "5")
			w.WriteHeader(204)
			if _, err := io.WriteString(w, "hello"); !errors.Is(err, http.ErrBodyNotAllowed) {
				t.Errorf("a body with 204: %v", err)
			}
		}},
		{"304", "", nil, func(w W, _ *http.Request) { set(w, "ETag", `"1"`); w.WriteHeader(304) }},
		{"304 says what a 200 would", "", func(s *said) {
			s.header = `Content-Length:["5"] Content-Type:["text/plain"] Date:["now"]`
		}, func(w W, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(304)
		}},
		{"an unknown status", "", chunked, func(w W, _ *http.Request) { set(w); w.WriteHeader(999) }},
		{"an impossible status", "", nil, func(w W, _ *http.Request) { w.WriteHeader(99) }},
		{"101 without a protocol", "", func(s *said) { s.again = false }, func(w W, _ *http.Request) { set(w); w.WriteHeader(101) }},
		{"status twice", "", chunked, func(w W, _ *http.Request) { set(w); w.WriteHeader(201); w.WriteHeader(500) }},
		{"interim answers", "", nil, func(w W, _ *http.Request) {
			set(w, "Link", "</style.css>", "Content-Length", "5")
			w.WriteHeader(103)
			w.Header().Del("Link")
			w.WriteHeader(102)
			io.WriteString(w, "hello")
		}},
		{"an interim answer to HEAD", head, nil, func(w W, _ *http.Request) { set(w); w.WriteHeader(103); w.WriteHeader(204) }},
		{"an interim answer and nothing", "", nil, func(w W, _ *http.Request) { set(w); w.WriteHeader(103) }},
		{"Date is there", "", nil, func(w W, _ *http.Request) { set(w, "Date", "fixed") }},
		{"Date is not wanted", "", nil, func(w W, _ *http.Request) { set(w, "Content-Length", "0"); w.Header()["Date"] = nil }},
		{"a header changed behind the status", "", chunked, func(w W, _ *http.Request) {
			set(w, "X", "1")
			w.WriteHeader(200)
			w.Header().Set("X", "2")
			w.Header().Set("Y", "2")
		}},
		{"a header changed behind the first byte", "", nil, func(w W, _ *http.Request) {
			set(w, "X", "1", "Content-Length", "5")
			io.WriteString(w, "hel")
			w.Header().Set("Content-Length", "7")
			io.WriteString(w, "lo")
		}},
		{"line ends in values", "", nil, func(w W, _ *http.Request) { set(w, "X", "1\r\nY: 2", "Z", "3\n\n4\r") }},
		{"what is no name", "", nil, func(w W, _ *http.Request) {
			set(w)
			w.Header()["X Y"], w.Header()["X\r\nY"], w.Header()[""], w.Header()["Z:"] = five, five, five, five
		}},
		{"names in small letters", "", nil, func(w W, _ *http.Request) { set(w); w.Header()["x-small"] = five }},
		{"lengths and codings in disguise", "", func(s *said) {
			*s = said{status: "200 OK", header: `Date:["now"]`, length: -1, body: "hello", again: true}
		}, func(w W, _ *http.Request) {
			set(w)
			w.Header()["content-length"], w.Header()["transfer-EncodinG"] = []string{"3"}, []string{"gzip"}
			io.WriteString(w, "hello")
			w.(http.Flusher).Flush()
		}},
		{"fields with several values and none", "", nil, func(w W, _ *http.Request) {
			set(w, "Set-Cookie", "a=1", "Set-Cookie", "b=2", "X", "")
			w.Header()["None"] = []string{}
		}},
		{"a large header", "", nil, func(w W, _ *http.Request) { set(w, "X", big[:50<<10]) }},
		{"the connection's end", "", nil, func(w W, _ *http.Request) { set(w, "Connection", "close", "Content-Length", "0") }},
		{"a coding of the handler's", "", chunked, func(w W, _ *http.Request) { set(w, "Transfer-Encoding", "chunked"); io.WriteString(w, "hello") }},
		{"announced trailers", "", nil, func(w W, _ *http.Request) {
			set(w, "Trailer", "A, B", "Trailer", "host")
			io.WriteString(w, "hello")
			set(w, "A", "1", "B", "2", "B", "3", "C", "4")
		}},
		{"an announced trailer without body", "", nil, func(w W, _ *http.Request) { set(w, "Trailer", "A") }},
		{"trailers that nobody announced", "", nil, func(w W, _ *http.Request) {
			set(w)
			io.WriteString(w, "hello")
			w.(http.Flusher).Flush()
			set(w, http.TrailerPrefix+"A", "1\r\nX: 1")
		}},
		{"trailers that may not be any", "", nil, func(w W, _ *http.Request) {
			set(w, "Trailer", "Set-Cookie2, If-Match, Host, X Y, X\r\nZ, Ok")
			io.WriteString(w, "hello")
			for _, name := range []string{"If-Match", "Host", "X Y", "X\r\nZ", "Ok"} {
				w.Header()[name] = five
			}
		}},
		{"trailers alone", "", nil, func(w W, _ *http.Request) { set(w, http.TrailerPrefix+"A", "1") }},
		{"trailers behind a known length are lost", "", nil, func(w W, _ *http.Request) {
			set(w, "Content-Length", "5")
			io.WriteString(w, "hello")
			set(w, http.TrailerPrefix+"A", "1")
		}},
		{"Flush first", "", nil, func(w W, _ *http.Request) { set(w); w.(http.Flusher).Flush(); io.WriteString(w, "hello") }},
		{"Flush between", "", nil, func(w W, _ *http.Request) {
			set(w)
			io.WriteString(w, "hel")
			w.(http.Flusher).Flush()
			w.(http.Flusher).Flush()
			io.WriteString(w, "lo")
		}},
		{"a file with length", "", nil, func(w W, _ *http.Request) {
			set(w, "Content-Length", fmt.Sprint(len(big)))
			send(t, w, file, -1)
		}},
		{"a part of a file", "", nil, func(w W, _ *http.Request) { set(w, "Content-Length", "70000"); send(t, w, file, 70000) }},
		{"a file without length", "", nil, func(w W, _ *http.Request) { set(w); send(t, w, file, -1) }},
		{"a file that is too short", "", nil, func(w W, _ *http.Request) { set(w, "Content-Length", "400000"); send(t, w, file, -1) }},
		{"a file behind bytes", "", nil, func(w W, _ *http.Request) {
			set(w, "Content-Length", "70005")
			io.WriteString(w, "hello")
			send(t, w, file, 70000)
		}},
		{"a file for HEAD", head, nil, func(w W, _ *http.Request) { set(w, "Content-Length", "70000"); send(t, w, file, 70000) }},
		{"ServeContent of a range", "GET / HTTP/1.1\r\nHost: a.test\r\nRange: bytes=5-70000\r\n\r\n", nil, func(w W, r *http.Request) { http.ServeFile(w, r, file) }},

		{"abort before anything", "", nil, func(W, *http.Request) { panic(http.ErrAbortHandler) }},
		{"abort with a status", "", cut, func(w W, _ *http.Request) { set(w); w.WriteHeader(200); panic(http.ErrAbortHandler) }},
		{"abort with a 204 looks not whole", "", nil, func(w W, _ *http.Request) { set(w); w.WriteHeader(204); panic(http.ErrAbortHandler) }},
		{"abort of HEAD looks not whole", head, nil, func(w W, _ *http.Request) { set(w); w.WriteHeader(200); panic(http.ErrAbortHandler) }},
		{"abort with all bytes looks not whole", "", nil, func(w W, _ *http.Request) {
			set(w, "Content-Length", "5")
			io.WriteString(w, "hello")
			panic(http.ErrAbortHandler)
		}},
		{"abort in chunks that were sent", "", nil, func(w W, _ *http.Request) {
			set(w)
			io.WriteString(w, "hello")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}},
		{"another panic", "", nil, func(W, *http.Request) { panic("ours") }},
		{"another panic behind bytes that were sent", "", nil, func(w W, _ *http.Request) {
			set(w, "Content-Length", "9")
			io.WriteString(w, "hello")
			w.(http.Flusher).Flush()
			panic(errors.New("ours"))
		}},

		{"the body is read and sent back", post("hello"), nil, func(w W, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			set(w, "Content-Length", fmt.Sprint(len(b)), "X", fmt.Sprint(err))
			w.Write(b)
		}},
		{"the body is read in part", post(big[:5000]), nil, func(w W, r *http.Request) {
			io.ReadFull(r.Body, make([]byte, 10))
			set(w, "Content-Length", "0")
		}},
		{"the body is read byte by byte", post("hello"), nil, func(w W, r *http.Request) {
			var all []byte
			for p := make([]byte, 1); ; {
				n, err := r.Body.Read(p)
				if all = append(all, p[:n]...); err != nil {
					break
				}
			}
			n, err := r.Body.Read(make([]byte, 1))
			set(w, "X", fmt.Sprint(string(all), n, err))
		}},
		{"the body is closed", post("hello"), nil, func(w W, r *http.Request) { r.Body.Close(); set(w) }},
		{"a large body is not read", post(big[:60000]), nil, func(w W, _ *http.Request) { set(w, "Content-Length", "0") }},
		{"the body is read by another goroutine", post("hello"), nil, func(w W, r *http.Request) {
			got := make(chan string)
			go func() { b, _ := io.ReadAll(r.Body); got <- string(b) }()
			set(w, "X", <-got)
		}},
		{"what the request says", "PUT /a%2Fb?c=d HTTP/1.1\r\nHost: a.test:80\r\nX: 1\r\nx: 2\r\nContent-Length: 0\r\n\r\n", nil, func(w W, r *http.Request) {
			set(w, "X", fmt.Sprint(r.Method, r.URL, r.URL.RawPath, r.Proto, r.Host, linesOf(r.Header), r.ContentLength, r.RequestURI, r.Close, r.TLS == nil, r.Form, r.Pattern))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			handler := http.HandlerFunc(func(w W, r *http.Request) {
				if r.URL.Path == "/again" {
					w.WriteHeader(http.StatusTeapot)
					return
				}
				tt.handler(w, r)
			})
			request := tt.request
			if request == "" {
				request = getRoot
			}
			want := listen(t, openStandard(t, handler), request)
			if tt.lane != nil {
				tt.lane(&want)
			}
			d := open(t, &Lane{Handler: handler})
			got := listen(t, d.address, request)
			if got.String() != want.String() || got.body != want.body {
				t.Errorf("got\n%v\nwant\n%v", got, want)
			}
			if len(d.handedOver()) > 0 {
				t.Error("net/http has answered")
			}
		})
	}
}

// The documented differences of short answers.

func chunked(s *said) { s.length, s.header = -1, without(s.header, "Content-Length") }

// cut is an answer whose header went out before its handler gave up.
func cut(s *said) {
	*s = said{status: "200 OK", header: `Date:["now"]`, length: -1, broken: true}
}

func without(header, name string) string {
	var kept []string
	for field := range strings.SplitSeq(header, " ") {
		if !strings.HasPrefix(field, name+":") {
			kept = append(kept, field)
		}
	}
	return strings.Join(kept, " ")
}

// send copies the first n bytes of a file to w, all with -1.
func send(t *testing.T, w io.Writer, name string, n int64) {
	f, err := os.Open(name)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	if n < 0 {
		_, _ = io.Copy(w, f)
		return
	}
	if _, err := io.CopyN(w, f, n); err != nil {
		t.Error(err)
	}
}

func TestResponse_AWriteErrorStays(t *testing.T) {
	failed := make(chan error, 3)
	d := open(t, &Lane{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done() // he has left
		for {
			if _, err := io.WriteString(w, long(100<<10)); err != nil {
				failed <- err
				break
			}
		}
		_, err := io.WriteString(w, "x")
		failed <- err
		failed <- http.NewResponseController(w).Flush()
	})})
	w := d.dial()
	w.send(getRoot)
	w.Close()
	for _, what := range []string{"the write", "a later small one", "a flush"} {
		if err := <-failed; err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func TestResponse_AWriteDeadlineEndsWithItsResponse(t *testing.T) {
	d := open(t, &Lane{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/timed" {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		}
		hello(w, r)
	})})
	w := d.dial()
	w.send("GET /timed HTTP/1.1\r\nHost: a.test\r\n\r\n")
	w.answer("GET")
	time.Sleep(60 * time.Millisecond) // the deadline is over: that is the point
	w.send(getRoot)
	w.answer("GET")
}

// FuzzResponse: whatever a handler says, it is one response, and with the status
// and the body that he meant.
func FuzzResponse(f *testing.F) {
	f.Add("X", "1\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK", "A", "2\r\n", "hello", uint16(200), true)
	f.Add("Trailer", "A, Content-Length", "A", "\r\n0", "hello", uint16(200), false)
	f.Add("Content-Length", "5", "Transfer-Encoding", "gzip", "hello", uint16(404), false)
	f.Add("Content-Length", " 5", "Connection", "close", "hello", uint16(304), false)
	f.Add("X Y\r\nZ", "1", http.TrailerPrefix+"A\r\n", "2", "", uint16(204), true)
	f.Add("Connection", "keep-alive, upgrade", "Upgrade", "x", "hello", uint16(103), true)
	f.Fuzz(func(t *testing.T, name, value, later, laterValue, body string, status uint16, flush bool) {
		if strings.ContainsFunc(value+laterValue, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\r\n", r) || r == 0x7f }) {
			return // goes out as it is, as with net/http; our own parser of servers' answers lets none in
		}
		if len(laterValue) > 500 {
			return // http.ReadResponse takes no long trailers
		}
		final := int(status)
		if final < 200 || final > 999 {
			final = 200
		}
		l := &Lane{HeadBytes: headMost, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()[name] = []string{value, value}
			if status >= 102 && status < 200 {
				w.WriteHeader(int(status))
			}
			w.WriteHeader(final)
			_, _ = io.WriteString(w, body)
			if flush {
				_ = http.NewResponseController(w).Flush()
			}
			w.Header()[later] = []string{laterValue}
		})}
		out := &capture{script: &script{pieces: []string{getRoot}}}
		if _, ok := l.Serve(&Conn{Conn: out, Socket: new(net.TCPConn), Context: context.Background()}); ok {
			t.Fatal("handed over")
		}
		r := bufio.NewReader(strings.NewReader(out.said.String()))
		res, err := http.ReadResponse(r, nil)
		for err == nil && res.StatusCode < 200 {
			res, err = http.ReadResponse(r, nil)
		}
		if err != nil {
			if name == "Content-Length" || strings.EqualFold(name, "Trailer") {
				return // shorter than it said, and so cut; names of trailers that may be none
			}
			t.Fatalf("%v in %q", err, out.said.String())
		}
		got, err := io.ReadAll(res.Body)
		want := body
		if final == 204 || final == 304 {
			want = ""
		}
		if _, declared := res.Header["Content-Length"]; res.StatusCode != final || !declared && (err != nil || string(got) != want) {
			t.Errorf("%s %q %v in %q", res.Status, got, err, out.said.String())
		}
		if r.Buffered() > 0 {
			rest, _ := r.Peek(r.Buffered())
			t.Errorf("%q behind the response %q", rest, out.said.String())
		}
		for n := range res.Header {
			if c := http.CanonicalHeaderKey(n); c != http.CanonicalHeaderKey(name) && c != "Date" && c != "Content-Length" {
				t.Errorf("%s was made up in %q", n, out.said.String())
			}
		}
	})
}

// capture is a script that keeps what it is told.
type capture struct {
	*script
	said strings.Builder
}

func (c *capture) Write(p []byte) (int, error)      { return c.said.Write(p) }
func (c *capture) SetWriteDeadline(time.Time) error { return nil }

func TestResponse_PanicsAreTold(t *testing.T) {
	told := make(chan any, 2)
	d := open(t, &Lane{Panicked: func(v any) { told <- v }, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/abort" {
			panic(http.ErrAbortHandler)
		}
		panic("ours")
	})})
	for _, path := range []string{"/abort", "/"} {
		w := d.dial()
		w.send("GET " + path + " HTTP/1.1\r\nHost: a.test\r\n\r\n")
		if !w.ended() {
			t.Errorf("%s: the connection goes on", path)
		}
	}
	if v := <-told; v != "ours" || len(told) != 0 {
		t.Errorf("told %v and %d more", v, len(told))
	}
}
