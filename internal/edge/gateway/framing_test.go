package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestFraming_RawRequests sends bytes that two readers could take for different
// requests. Each is refused with a closed connection, or reaches the server as
// the requests named, one after the other, with nothing smuggled behind them
// (guide, section 7 items 1 to 4). The corpus over the whole door is in conformance/.
func TestFraming_RawRequests(t *testing.T) {
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n"
	head := func(line string, fields ...string) string {
		return strings.Join(append([]string{line, "Host: shop.test"}, fields...), "\r\n") + "\r\n\r\n"
	}
	tests := []struct {
		name, raw string
		want      string // what the server got: "METHOD path body" each, "" for a refusal
	}{
		{"one request", "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n", "GET / "},
		{"CL and TE", head("POST / HTTP/1.1", "Content-Length: 4", "Transfer-Encoding: chunked") + "1\r\nx\r\n0\r\n\r\n" + smuggled, "POST / x"},
		{"TE and CL", head("POST / HTTP/1.1", "Transfer-Encoding: chunked", "Content-Length: 6") + "0\r\n\r\n" + smuggled, "POST / "},
		{"TE in HTTP/1.0", head("POST / HTTP/1.0", "Transfer-Encoding: chunked", "Connection: keep-alive") + smuggled, "POST / "},
		{"TE in HTTP/1.0 with CL", head("POST / HTTP/1.0", "Transfer-Encoding: chunked", "Content-Length: 5", "Connection: keep-alive") + "0\r\n\r\n" + smuggled, "POST / 0\r\n\r\n"},
		{"two CL", head("POST / HTTP/1.1", "Content-Length: 4", "Content-Length: 5") + "body" + smuggled, ""},
		{"two CL in one", head("POST / HTTP/1.1", "Content-Length: 4, 4") + "body" + smuggled, ""},
		{"CL with a plus", head("POST / HTTP/1.1", "Content-Length: +4") + "body" + smuggled, ""},
		{"CL in hexadecimal", head("POST / HTTP/1.1", "Content-Length: 0x4") + "body" + smuggled, ""},
		{"an empty CL", head("POST / HTTP/1.1", "Content-Length: ") + smuggled, ""},
		{"TE list", head("POST / HTTP/1.1", "Transfer-Encoding: chunked, identity") + "0\r\n\r\n" + smuggled, ""},
		{"TE twice", head("POST / HTTP/1.1", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + "0\r\n\r\n" + smuggled, ""},
		{"TE xchunked", head("POST / HTTP/1.1", "Transfer-Encoding: xchunked") + "0\r\n\r\n" + smuggled, ""},
		{"TE with VT", head("POST / HTTP/1.1", "Transfer-Encoding: \vchunked") + "0\r\n\r\n" + smuggled, ""},
		{"a space before the colon", head("POST / HTTP/1.1", "Transfer-Encoding : chunked") + "0\r\n\r\n" + smuggled, ""},
		{"NUL in a value", head("GET / HTTP/1.1", "X: a\x00b") + smuggled, ""},
		{"a bare CR in a value", head("GET / HTTP/1.1", "X: a\rTransfer-Encoding: chunked") + smuggled, ""},
		{"a bare LF in a chunk size", head("POST / HTTP/1.1", "Transfer-Encoding: chunked") + "1\nx\r\n0\r\n\r\n" + smuggled, ""},
		{"a bare LF in a chunk extension", head("POST / HTTP/1.1", "Transfer-Encoding: chunked") + "1;a\nx\r\n0\r\n\r\n" + smuggled, ""},
		{"no Host", "GET / HTTP/1.1\r\n\r\n" + smuggled, ""},
		{"no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", ""},
		{"two Hosts", head("GET / HTTP/1.1", "Host: other.test") + smuggled, ""},
		{"a Host with a path", "GET / HTTP/1.1\r\nHost: shop.test/x\r\n\r\n" + smuggled, ""},
		{"a Host unlike an absolute target", "GET http://shop.test/a HTTP/1.1\r\nHost: other.test\r\n\r\n", "GET /a "},
		{"a space in the target", head("GET /a b HTTP/1.1") + smuggled, ""},
		{"Expect twice", head("POST / HTTP/1.1", "Expect: 100-continue", "Expect: 100-continue", "Content-Length: 4") + "body" + smuggled, ""},
		{"h2c", head("GET / HTTP/1.1", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"), "GET / "},
		{"GET with a body", head("GET / HTTP/1.1", "Content-Length: 4") + "body", "GET / body"},
		{"HEAD with a body", head("HEAD / HTTP/1.1", "Content-Length: 4") + "body", "HEAD / body"},
		{"garbage after a request", head("GET / HTTP/1.1") + "\x01\x02garbage\r\n\r\n", "GET / "},
		{"two in a row are two", head("GET /1 HTTP/1.1") + head("GET /2 HTTP/1.1"), "GET /1 |GET /2 "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoor(t, plain)
			c := dial(t, d.listen().Listener.Addr().String(), tt.raw)
			if tcp, ok := c.(interface{ CloseWrite() error }); ok {
				_ = tcp.CloseWrite()
			}
			answer, _ := io.ReadAll(c)
			if got := d.servers.story(); got != tt.want {
				t.Errorf("the server got %q, want %q; the answer was %q", got, tt.want, answer)
			}
			refused := strings.HasPrefix(string(answer), "HTTP/1.1 4") || strings.HasPrefix(string(answer), "HTTP/1.0 4") ||
				strings.HasPrefix(string(answer), "HTTP/1.1 501") || len(answer) == 0 // the server's handler aborts on a bad chunk
			if tt.want == "" && (!refused || strings.Count(string(answer), "HTTP/1.") > 1) {
				t.Errorf("answered %q", answer)
			}
		})
	}
}

// story is what the servers got, in short.
func (s *servers) story() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for i, r := range s.got {
		all = append(all, fmt.Sprintf("%s %s %s", r.Method, r.URL.RawPath, s.bodies[i]))
		if u := r.Header["Upgrade"]; u != nil {
			all = append(all, "upgrade to "+u[0])
		}
	}
	return strings.Join(all, "|")
}

func TestFraming_AnAnswerBeforeTheBodyEndsTheConnection(t *testing.T) {
	d := newDoor(t, plain)
	d.servers.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(200) // the body is not read
	}
	c := dial(t, d.listen().Listener.Addr().String(),
		"POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 43\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n")
	answer, err := io.ReadAll(c)
	if err != nil || strings.Count(string(answer), "HTTP/1.1 200") != 1 || !strings.Contains(string(answer), "\r\nConnection: close\r\n") {
		t.Errorf("%q, %v", answer, err)
	}
	if got := d.servers.story(); got != "POST / " {
		t.Errorf("the server got %q", got)
	}
}
