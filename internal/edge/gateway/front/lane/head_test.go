package lane

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

// reader returns a session whose connection's bytes come from text, in pieces.
func reader(t testing.TB, l *Lane, pieces ...string) *session {
	t.Helper()
	s := newSession(l, &Conn{Conn: &script{pieces: pieces}, Socket: new(net.TCPConn), Context: context.Background()})
	s.raw = nil // there is no socket
	return s
}

// script is a connection that brings pieces, one with each Read, and then ends.
type script struct {
	net.Conn
	pieces []string
}

func (c *script) Read(p []byte) (int, error) {
	if len(c.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.pieces[0])
	if c.pieces[0] = c.pieces[0][n:]; c.pieces[0] == "" {
		c.pieces = c.pieces[1:]
	}
	return n, nil
}

func (c *script) rest() string                    { return strings.Join(c.pieces, "") }
func (c *script) RemoteAddr() net.Addr            { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4711} }
func (c *script) SetReadDeadline(time.Time) error { return nil }
func (c *script) Close() error                    { return nil }

func TestRequest_WhatIsSimple(t *testing.T) {
	tests := []struct {
		name, head string
		want       bool
	}{
		{"a GET", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", true},
		{"a browser's GET", browserGet, true},
		{"any case in names", "GET / HTTP/1.1\r\nhOsT: a.test\r\naccept: */*\r\n\r\n", true},
		{"white space around a value", "GET / HTTP/1.1\r\nHost: \t a.test \t\r\nX:\r\nY: \r\n\r\n", true},
		{"letters beyond ASCII in a value", "GET / HTTP/1.1\r\nHost: a.test\r\nX: \x80\xff\r\n\r\n", true},
		{"a field twice", "GET / HTTP/1.1\r\nHost: a.test\r\nX: 1\r\nX: 2\r\n\r\n", true},
		{"a body of known length", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 65536\r\n\r\n", true},
		{"a length of none", "GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n", true},
		{"a length with zeros ahead", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 000005\r\n\r\n", true},
		{"POST without length has no body", "POST / HTTP/1.1\r\nHost: a.test\r\n\r\n", true},
		{"keep-alive asked for", "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Keep-Alive\r\n\r\n", true},
		{"escapes in the path", "GET /a%2Fb HTTP/1.1\r\nHost: a.test\r\n\r\n", true},
		{"escapes in the query are not looked at", "GET /?%zz HTTP/1.1\r\nHost: a.test\r\n\r\n", true},
		{"an address as host", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n", true},

		{"HTTP/1.0", "GET / HTTP/1.0\r\nHost: a.test\r\n\r\n", false},
		{"HTTP/2.0", "PRI * HTTP/2.0\r\nHost: a.test\r\n\r\n", false},
		{"HTTP/1.10", "GET / HTTP/1.10\r\nHost: a.test\r\n\r\n", false},
		{"http/1.1 in small letters", "GET / http/1.1\r\nHost: a.test\r\n\r\n", false},
		{"no version", "GET /\r\nHost: a.test\r\n\r\n", false},
		{"a method in small letters", "get / HTTP/1.1\r\nHost: a.test\r\n\r\n", false},
		{"an unknown method", "BREW / HTTP/1.1\r\nHost: a.test\r\n\r\n", false},
		{"CONNECT", "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n", false},
		{"TRACE", "TRACE / HTTP/1.1\r\nHost: a.test\r\n\r\n", false},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n", false},
		{"the absolute form", "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", false},
		{"two slashes ahead", "GET //a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", false},
		{"two spaces in the request line", "GET  / HTTP/1.1\r\nHost: a.test\r\n\r\n", false},
		{"a space in the target", "GET /a b HTTP/1.1\r\nHost: a.test\r\n\r\n", false},
		{"a space behind the version", "GET / HTTP/1.1 \r\nHost: a.test\r\n\r\n", false},
		{"a tab in the request line", "GET\t/ HTTP/1.1\r\nHost: a.test\r\n\r\n", false},
		{"a fragment", "GET /#a HTTP/1.1\r\nHost: a.test\r\n\r\n", false},
		{"a backslash in the target", "GET /\\a HTTP/1.1\r\nHost: a.test\r\n\r\n", false},
		{"NUL in the target", "GET /\x00 HTTP/1.1\r\nHost: a.test\r\n\r\n", false},
		{"letters beyond ASCII in the target", "GET /\xc3\xa4 HTTP/1.1\r\nHost: a.test\r\n\r\n", false},
		{"a broken escape in the path", "GET /%zz HTTP/1.1\r\nHost: a.test\r\n\r\n", false},

		{"no host", "GET / HTTP/1.1\r\nX: 1\r\n\r\n", false},
		{"an empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", false},
		{"the same host twice", "GET / HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n", false},
		{"two hosts", "GET / HTTP/1.1\r\nHost: a.test\r\nhost: b.test\r\n\r\n", false},
		{"a host list", "GET / HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n", false},
		{"a host with path", "GET / HTTP/1.1\r\nHost: a.test/x\r\n\r\n", false},
		{"a host with user", "GET / HTTP/1.1\r\nHost: u@a.test\r\n\r\n", false},

		{"chunked", "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n", false},
		{"length and chunked", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", false},
		{"a coding in other letters", "POST / HTTP/1.1\r\nHost: a.test\r\ntRANSFER-eNCODING: xchunked\r\n\r\n", false},
		{"a coding in GET", "GET / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: identity\r\n\r\n", false},
		{"a coding with a space before the colon", "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding : chunked\r\n\r\n", false},
		{"a coding with a tab before the colon", "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding\t: chunked\r\n\r\n", false},
		{"a coding with VT ahead of the value", "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding:\x0bchunked\r\n\r\n", false},
		{"the same length twice", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", false},
		{"two lengths", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\ncontent-length: 6\r\n\r\n", false},
		{"none and a length", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\nContent-Length: 6\r\n\r\n", false},
		{"a list of lengths", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5, 5\r\n\r\n", false},
		{"a length with sign", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: +5\r\n\r\n", false},
		{"a negative length", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: -5\r\n\r\n", false},
		{"a hexadecimal length", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0x5\r\n\r\n", false},
		{"a length with _", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1_0\r\n\r\n", false},
		{"an empty length", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length:\r\n\r\n", false},
		{"a length that overflows", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 18446744073709551621\r\n\r\n", false},
		{"a long body", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 65537\r\n\r\n", false},
		{"GET with a body", "GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\n", false},
		{"HEAD with a body", "HEAD / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\n", false},

		{"the connection's end", "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", false},
		{"names in Connection", "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, X-Mine\r\n\r\n", false},
		{"an upgrade", "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", false},
		{"Upgrade alone", "GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: h2c\r\n\r\n", false},
		{"Expect", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", false},
		{"Trailer", "GET / HTTP/1.1\r\nHost: a.test\r\nTrailer: X\r\n\r\n", false},
		{"TE", "GET / HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\n\r\n", false},
		{"Pragma, which net/http translates", "GET / HTTP/1.1\r\nHost: a.test\r\nPragma: no-cache\r\n\r\n", false},

		{"a folded line", "GET / HTTP/1.1\r\nHost: a.test\r\nX: 1\r\n 2\r\n\r\n", false},
		{"a folded line by tab", "GET / HTTP/1.1\r\nHost: a.test\r\nX: 1\r\n\t2\r\n\r\n", false},
		{"a first line that begins with a space", "GET / HTTP/1.1\r\n Host: a.test\r\n\r\n", false},
		{"LF at the end of the request line", "GET / HTTP/1.1\nHost: a.test\r\n\r\n", false},
		{"LF at the end of a line", "GET / HTTP/1.1\r\nHost: a.test\nX: 1\r\n\r\n", false},
		{"LF in a name", "GET / HTTP/1.1\r\nHost: a.test\r\nX\nY: 1\r\n\r\n", false},
		{"CR in a value", "GET / HTTP/1.1\r\nHost: a.test\r\nX: 1\rY: 2\r\n\r\n", false},
		{"CR CR LF", "GET / HTTP/1.1\r\nHost: a.test\r\r\n\r\n", false},
		{"NUL in a value", "GET / HTTP/1.1\r\nHost: a.test\r\nX: 1\x002\r\n\r\n", false},
		{"NUL in a name", "GET / HTTP/1.1\r\nHost: a.test\r\nX\x00: 1\r\n\r\n", false},
		{"DEL in a value", "GET / HTTP/1.1\r\nHost: a.test\r\nX: \x7f\r\n\r\n", false},
		{"letters beyond ASCII in a name", "GET / HTTP/1.1\r\nHost: a.test\r\nX\x80: 1\r\n\r\n", false},
		{"no colon", "GET / HTTP/1.1\r\nHost: a.test\r\nX\r\n\r\n", false},
		{"no name", "GET / HTTP/1.1\r\nHost: a.test\r\n: 1\r\n\r\n", false},
		{"an empty line ahead", "\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n", false},
		{"nothing but line ends", "\r\n\r\n", false},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := reader(t, &Lane{HeadBytes: headMost}, tt.head)
			if got := s.next(); (got == simple) != tt.want || got == over {
				t.Fatalf("verdict %d for %q, want simple: %v", got, tt.head, tt.want)
			}
			if tt.want {
				compareWithStandard(t, s, []byte(tt.head))
			}
		})
	}
}

// compareWithStandard holds the session's request against what net/http makes of
// all its bytes.
func compareWithStandard(t *testing.T, s *session, all []byte) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(all))
	want, err := http.ReadRequest(r)
	if err != nil {
		t.Fatalf("net/http says %v of %q, which was called simple", err, all)
	}
	got := &s.req
	if got.Method != want.Method || got.RequestURI != want.RequestURI || got.Host != want.Host ||
		got.Proto != want.Proto || got.ProtoMajor != want.ProtoMajor || got.ProtoMinor != want.ProtoMinor ||
		got.ContentLength != want.ContentLength || got.Close != want.Close ||
		(got.Body == http.NoBody) != (want.Body == http.NoBody) ||
		len(want.TransferEncoding) != 0 || len(want.Trailer) != 0 {
		t.Errorf("of %q\ngot  %+v\nwant %+v", all, got, want)
	}
	if !reflect.DeepEqual(got.URL, want.URL) {
		t.Errorf("of %q\ngot  %#v\nwant %#v", all, got.URL, want.URL)
	}
	if !reflect.DeepEqual(got.Header, want.Header) {
		t.Errorf("of %q\ngot  %q\nwant %q", all, got.Header, want.Header)
	}
	wantBody, wantErr := io.ReadAll(want.Body)
	gotBody, gotErr := io.ReadAll(got.Body)
	if !bytes.Equal(gotBody, wantBody) || (gotErr == nil) != (wantErr == nil) {
		t.Errorf("of %q: body %q, %v; want %q, %v", all, gotBody, gotErr, wantBody, wantErr)
	}
	left, _ := io.ReadAll(r)
	if behind := string(s.in[s.r:s.w]) + s.conn.Conn.(*script).rest(); behind != string(left) {
		t.Errorf("of %q: leaves %q, want %q", all, behind, left)
	}
}

func FuzzHead(f *testing.F) {
	for _, seed := range []string{
		browserGet,
		"GET / HTTP/1.1\r\nHost: a.test\r\n\r\nGET /2 HTTP/1.1\r\nHost: b.test\r\n\r\n",
		"POST /a!b'(c)*;d=$&+,:@?q?r# HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n",
		"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding:\x0bchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a.test\r\nX: 1\n\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a.test\r\nX: 1\r\n\tContent-Length: 6\r\nContent-Length: 5\r\n\r\nabcdef",
		"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nabcdef",
		"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5, 6\r\n\r\nabcdef",
		"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: +5\r\n\r\nabcdef",
		"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 05\r\n\r\nabcdef",
		"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: \x0b5\r\n\r\nabcdef",
		"POST / HTTP/1.1\r\nHost: a.test\r\nContent_Length: 5\r\nContent-Length: 1\r\n\r\nabcdef",
		"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length:5\x00\r\n\r\nabcdef",
		"GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
		"GET /\r\nX: HTTP/1.1\r\nHost: a.test\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a.test:80:90\r\nhost : b.test\r\n\r\n",
		"GET /a?b? HTTP/1.1\r\nHost: a.test\r\n\r\n",
		"GET /a? HTTP/1.1\r\nHost: a.test\r\n\r\n",
		"GET /?? HTTP/1.1\r\nHost: a.test\r\n\r\n",
		"GET /%2e%2E/%41[1] HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive\r\nconnection: KEEP-ALIVE\r\n\r\n",
		"\r\n\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\nHost: a.test\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a.test\r\nX: \xff\x80 \t \r\nX:\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a.test\r\n\n\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		f.Add([]byte(seed), uint16(len(seed)))
		f.Add([]byte(seed), uint16(len(seed)/2))
	}
	f.Fuzz(func(t *testing.T, all []byte, cut uint16) {
		if len(all) == 0 || bytes.Contains(all, []byte("\x00\x00\x00\x00")) {
			return
		}
		at := min(int(cut), len(all))
		var pieces []string
		for _, p := range []string{string(all[:at]), string(all[at:])} {
			if p != "" {
				pieces = append(pieces, p)
			}
		}
		s := reader(t, &Lane{HeadBytes: headMost}, pieces...)
		switch s.next() {
		case simple:
			compareWithStandard(t, s, all)
		case notSimple:
			if behind := string(s.in[s.r:s.w]) + s.conn.Conn.(*script).rest(); behind != string(all) {
				t.Errorf("of %q: hands over %q", all, behind)
			}
		case over:
			t.Errorf("%q was neither served nor handed over", all)
		}
	})
}

func TestNext_PathsAreAsPackageURLSeesThem(t *testing.T) {
	for c := range 0x80 {
		head := fmt.Sprintf("GET /a%cb?c%cd HTTP/1.1\r\nHost: a.test\r\n\r\n", c, c)
		s := reader(t, &Lane{HeadBytes: headMost}, head)
		if s.next() == simple {
			compareWithStandard(t, s, []byte(head))
		}
	}
}

func TestNext_HowHeadsArrive(t *testing.T) {
	post := "POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello"
	chunked := "POST /c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
	tests := []struct {
		name   string
		pieces []string
		paths  string // of the simple ones, in order
		rest   string // what is handed over; "-": nothing, the visitor has left
	}{
		{"one by one", strings.Split(getRoot, ""), "/", "-"},
		{"three in one piece", []string{getRoot + post + getRoot}, "/ /p /", "-"},
		{"three, byte by byte", strings.Split(getRoot+post+getRoot, ""), "/ /p /", "-"},
		{"cut in the empty line", []string{getRoot[:len(getRoot)-3], "\n\r", "\n" + getRoot}, "/ /", "-"},
		{"what is not simple comes behind what is, with all its bytes", []string{getRoot + chunked + getRoot}, "/", chunked + getRoot},
		{"the same behind a body", []string{post + chunked}, "/p", chunked},
		{"the same in two pieces", []string{getRoot + chunked[:20], chunked[20:]}, "/", chunked},
		{"garbage behind a body is the next request", []string{post + "xyz"}, "/p", "xyz"},
		{"an empty line between requests", []string{getRoot + "\r\n" + getRoot}, "/", "\r\n" + getRoot},
		{"a head that is cut is net/http's to complain of", []string{getRoot + "GET /"}, "/", "GET /"},
		{"lines that end in LF are handed over at the first", []string{"GET / HTTP/1.1\n"}, "", "GET / HTTP/1.1\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &script{pieces: append([]string(nil), tt.pieces...)}
			var paths []string
			l := &Lane{HeadBytes: headMost, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				paths = append(paths, r.URL.Path)
				if b, err := io.ReadAll(r.Body); err != nil || int64(len(b)) != r.ContentLength {
					t.Errorf("body %q, %v", b, err)
				}
			})}
			rest, ok := l.Serve(&Conn{Conn: deaf{c}, Socket: new(net.TCPConn), Context: context.Background()})
			if got := strings.Join(paths, " "); got != tt.paths {
				t.Errorf("served %q, want %q", got, tt.paths)
			}
			if got := string(rest) + c.rest(); ok != (tt.rest != "-") || ok && got != tt.rest {
				t.Errorf("handed over: %v, %q; want %q", ok, got, tt.rest)
			}
		})
	}
}

// deaf is a script that takes answers.
type deaf struct{ *script }

func (deaf) Write(p []byte) (int, error) { return len(p), nil }

func TestNext_SizesOfHeads(t *testing.T) {
	head := func(n int) string {
		const frame = "GET / HTTP/1.1\r\nHost: a.test\r\nX: \r\n\r\n"
		return "GET / HTTP/1.1\r\nHost: a.test\r\nX: " + long(n-len(frame)) + "\r\n\r\n"
	}
	tests := []struct {
		name string
		most int
		text string
		want verdict
	}{
		{"the largest", headMost, head(headMost), simple},
		{"one more", headMost, head(headMost + 1), notSimple},
		{"the largest that is configured", 1 << 10, head(1 << 10), simple},
		{"one more than is configured, although it fits into the buffer", 1 << 10, head(1<<10 + 1), notSimple},
		{"more than the buffer is configured", 16 << 10, head(headMost + 1), notSimple},
		{"a long name", headMost, "GET / HTTP/1.1\r\nHost: a.test\r\n" + long(8000) + ": 1\r\n\r\n", simple},
		{"a long target", headMost, "GET /" + long(8000) + " HTTP/1.1\r\nHost: a.test\r\n\r\n", simple},
		{"very many fields", headMost, "GET / HTTP/1.1\r\nHost: a.test\r\n" + strings.Repeat("a:\r\n", 2000) + "\r\n", simple},
	}
	for _, tt := range tests {
		for _, pieces := range [][]string{{tt.text}, strings.SplitAfter(tt.text, "x"), {getRoot + tt.text[:50], tt.text[50:]}} {
			s := reader(t, &Lane{HeadBytes: tt.most}, append([]string(nil), pieces...)...)
			got := s.next()
			if strings.HasPrefix(pieces[0], getRoot) {
				if got != simple {
					t.Fatalf("%s: the request before: %d", tt.name, got)
				}
				s.conn.state.Store(idle)
				got = s.next()
			}
			if got != tt.want {
				t.Errorf("%s, in %d pieces: verdict %d, want %d", tt.name, len(pieces), got, tt.want)
			}
		}
	}
}

// A head costs what its bytes cost, however it is cut and whatever is in it.
func BenchmarkHead(b *testing.B) {
	many := "GET / HTTP/1.1\r\nHost: a.test\r\n" + strings.Repeat("a:\r\n", 2000) + "\r\n"
	var names strings.Builder
	names.WriteString("GET / HTTP/1.1\r\nHost: a.test\r\n")
	for i := range 1000 {
		fmt.Fprintf(&names, "%x:\r\n", i)
	}
	names.WriteString("\r\n")
	line := "GET /" + long(8000) + " HTTP/1.1\r\nHost: a.test\r\n\r\n"
	for _, bm := range []struct {
		name   string
		pieces []string
	}{
		{"browser", []string{browserGet}},
		{"one name 2000 times", []string{many}},
		{"1000 names", []string{names.String()}},
		{"8 KB of target byte by byte", strings.Split(line, "")},
	} {
		b.Run(bm.name, func(b *testing.B) {
			for b.Loop() {
				s := reader(b, &Lane{HeadBytes: headMost}, append([]string(nil), bm.pieces...)...)
				if s.next() != simple {
					b.Fatal("not simple")
				}
				s.free()
			}
		})
	}
}
