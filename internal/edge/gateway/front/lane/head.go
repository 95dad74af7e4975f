package lane

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/evergate/evergate/internal/httpfield"
)

// bodyMost is the longest body whose request is served here.
const bodyMost = 64 << 10

// What a byte may be.
const (
	inTarget = 1 << iota // of a request line, in origin-form
	inPath               // of its path, where package url sees no other way to write it
	inValue              // of a field: VCHAR, SP, HTAB and obs-text
	isLower
	isUpper
)

var kinds = func() (kind [256]uint8) {
	for c := range 256 {
		if c >= 0x20 && c != 0x7f || c == '\t' {
			kind[c] |= inValue
		}
		if c > 0x20 && c < 0x7f && c != '#' && c != '"' && c != '<' && c != '>' && c != '\\' && c != '^' && c != '`' && c != '{' && c != '|' && c != '}' {
			kind[c] |= inTarget
		}
	}
	for _, c := range []byte("$&+,-./:;=@_~0123456789") {
		kind[c] |= inPath
	}
	for c := 'a'; c <= 'z'; c++ {
		kind[c] |= inPath | isLower
		kind[c-'a'+'A'] |= inPath | isUpper
	}
	return kind
}()

// headEnd returns the length of the head at the beginning of b, 0 if its end is
// not there; looked is how much of b need not be searched again.
func headEnd(b []byte, looked int) int {
	i := bytes.Index(b[looked:], crlfcrlf)
	if i < 0 {
		return 0
	}
	return looked + i + len(crlfcrlf)
}

var crlfcrlf = []byte("\r\n\r\n")

// surelyNot reports whether no more bytes can make b the head of a simple
// request, so that net/http may say at once what is wrong with it: what does not
// begin with a method, and lines that end without CR.
func surelyNot(b []byte) bool {
	if len(b) > 0 && kinds[b[0]]&isUpper == 0 {
		return true
	}
	i := bytes.IndexByte(b, '\n')
	return i == 0 || i > 0 && b[i-1] != '\r'
}

// request makes the session's request of head, which ends with its empty line,
// and reports whether it is a simple one. Nothing is changed on the connection
// if it is not.
func (s *session) request(head []byte) bool {
	text := string(head) // all strings of the request share it
	end := strings.Index(text, "\r\n")
	method, target, ok := requestLine(text[:end])
	if !ok {
		return false
	}
	f := fields{header: make(http.Header, 8), length: -1}
	for at := end + 2; ; {
		n := strings.Index(text[at:], "\r\n")
		if n == 0 {
			break
		}
		if !f.add(text[at : at+n]) {
			return false
		}
		at += n + 2
	}
	if !f.hasHost || f.length > bodyMost || f.length > 0 && (method == http.MethodGet || method == http.MethodHead) {
		return false
	}
	if !s.target(target) {
		return false
	}
	s.req = s.template
	s.req.Method, s.req.RequestURI, s.req.Host, s.req.Header, s.req.URL = method, target, f.host, f.header, &s.url
	s.req.Body = http.NoBody
	s.body = body{}
	if f.length > 0 {
		s.body = body{s: s, left: f.length}
		s.req.Body, s.req.ContentLength = &s.body, f.length
	}
	s.resp.begin(s, method == http.MethodHead)
	return true
}

// requestLine splits "GET /path HTTP/1.1".
func requestLine(line string) (method, target string, ok bool) {
	const version = " HTTP/1.1"
	rest, ok := strings.CutSuffix(line, version)
	if !ok {
		return "", "", false
	}
	method, target, ok = strings.Cut(rest, " ")
	if !ok {
		return "", "", false
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions:
	default:
		return "", "", false
	}
	if target == "" || target[0] != '/' || strings.HasPrefix(target, "//") {
		return "", "", false
	}
	for i := 0; i < len(target); i++ {
		if kinds[target[i]]&inTarget == 0 {
			return "", "", false
		}
	}
	return method, target, true
}

// target sets the URL as net/http would.
func (s *session) target(target string) bool {
	path, query, hasQuery := strings.Cut(target, "?")
	for i := 0; i < len(path); i++ {
		if kinds[path[i]]&inPath != 0 {
			continue
		}
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return false
		}
		s.url = *u
		return true
	}
	s.url = url.URL{Path: path, RawQuery: query, ForceQuery: hasQuery && query == ""}
	return true
}

// fields are the header fields of one head.
type fields struct {
	header  http.Header
	host    string
	hasHost bool
	length  int64 // of Content-Length, -1: none
}

// add takes one line, and reports whether it may be part of a simple request.
func (f *fields) add(line string) bool {
	colon := strings.IndexByte(line, ':')
	if colon <= 0 {
		return false
	}
	name, value := line[:colon], line[colon+1:]
	token, canonical := httpfield.InspectName(name)
	if !token {
		return false
	}
	for i := 0; i < len(value); i++ {
		if kinds[value[i]]&inValue == 0 {
			return false
		}
	}
	value = strings.Trim(value, " \t")
	if !canonical {
		name = textproto.CanonicalMIMEHeaderKey(name)
	}
	switch name {
	case "Host":
		if f.hasHost || !plainHost(value) {
			return false
		}
		f.host, f.hasHost = value, true
		return true
	case "Content-Length":
		if f.length >= 0 {
			return false
		}
		if f.length = length(value); f.length < 0 {
			return false
		}
	case "Connection":
		if !strings.EqualFold(value, "keep-alive") {
			return false
		}
	case "Transfer-Encoding", "Upgrade", "Expect", "Trailer", "Te", "Http2-Settings", "Pragma":
		return false // Pragma: net/http makes a Cache-Control of it
	}
	if before := f.header[name]; before != nil {
		f.header[name] = append(before, value)
	} else {
		f.header[name] = []string{value}
	}
	return true
}

// plainHost reports whether a Host is a name or an address with or without port,
// in letters that need no second look.
func plainHost(host string) bool {
	for i := 0; i < len(host); i++ {
		if c := host[i]; kinds[c]&(isLower|isUpper) == 0 && (c < '0' || c > ':') && c != '.' && c != '-' && c != '[' && c != ']' {
			return false
		}
	}
	return host != ""
}

// length reads a Content-Length: digits only. -1: it is none, or longer than is
// served here.
func length(s string) int64 {
	if s == "" || len(s) > 6 {
		return -1
	}
	n := int64(0)
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n
}
