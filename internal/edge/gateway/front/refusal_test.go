package front

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestRefusalIn(t *testing.T) {
	tests := []struct{ name, answer, want string }{
		{"net/http refuses a header that is too large", "HTTP/1.1 431 Request Header Fields Too Large" + string(refusalHeader) + "431", "header_bytes"},
		{"net/http refuses what it cannot read", "HTTP/1.1 400 Bad Request: malformed Host header" + string(refusalHeader) + "400", "malformed"},
		{"a server's own 400", "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nDate: now\r\n\r\n", ""},
		{"an answer that is well", "HTTP/1.1 200 OK" + string(refusalHeader), ""},
		{"a piece of a body", "HTTP/1.1 4", ""},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		if got := refusalIn([]byte(tt.answer)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestFront_CountsWhatNetHTTPRefuses would fail with a net/http that says it in
// another way.
func TestFront_CountsWhatNetHTTPRefuses(t *testing.T) {
	h := newHouse(t, basicConfig(), hello)
	tests := []struct{ name, request, why string }{
		{"a header that is too large", "GET / HTTP/1.1\r\nHost: front.test\r\nCookie: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", "header_bytes"},
		{"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "malformed"},
		{"a coding that nobody knows", "POST / HTTP/1.1\r\nHost: front.test\r\nTransfer-Encoding: zip\r\n\r\n", "transfer_coding"},
	}
	dials := map[string]func() (net.Conn, error){
		"http": func() (net.Conn, error) { return net.Dial("tcp", h.http()) },
		"https": func() (net.Conn, error) {
			return tls.Dial("tcp", h.https(), &tls.Config{RootCAs: h.certs.pool(), ServerName: "front.test"})
		},
	}
	for scheme, dial := range dials {
		for _, tt := range tests {
			t.Run(tt.name+" over "+scheme, func(t *testing.T) {
				before := h.metric("evergate_front_requests_refused_total", tt.why)
				c, err := dial()
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				go io.WriteString(c, tt.request) // the answer may come before it is all sent
				_, _ = io.Copy(io.Discard, c)    // to the end, however it comes
				eventually(t, "it is counted", func() bool { return h.metric("evergate_front_requests_refused_total", tt.why) == before+1 })
			})
		}
	}
}
