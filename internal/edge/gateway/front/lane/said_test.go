package lane

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// said is what a visitor gets for one request, and whether he may ask again.
type said struct {
	interim []string // each with its header
	status  string
	header  string
	length  int64
	body    string
	trailer string
	broken  bool // the answer ended before its end
	nothing bool // no answer at all
	again   bool // the next request on the connection was answered
}

func (s said) String() string {
	return fmt.Sprintf("interim %q\nstatus %q\nheader %s\nlength %d\nbody %.80q (%d)\ntrailer %s\nbroken %v, nothing %v, again %v",
		s.interim, s.status, s.header, s.length, s.body, len(s.body), s.trailer, s.broken, s.nothing, s.again)
}

// listen sends request, and then another one, and tells what came.
func listen(t *testing.T, address, request string) (s said) {
	t.Helper()
	w := dial(t, address)
	w.send(request)
	method, _, _ := strings.Cut(request, " ")
	for {
		res, err := http.ReadResponse(w.r, &http.Request{Method: method})
		if err != nil {
			s.nothing = true
			return s
		}
		dated := res.Header.Get("Date") != ""
		if dated && res.Header.Get("Date") != "fixed" {
			res.Header.Set("Date", "now")
		}
		header := linesOf(res.Header)
		if res.StatusCode < 200 && res.StatusCode != 101 {
			s.interim = append(s.interim, res.Status+" "+header)
			continue
		}
		body, err := io.ReadAll(res.Body)
		s.status, s.header, s.length, s.body = res.Status, header, res.ContentLength, string(body)
		s.broken, s.trailer = err != nil, linesOf(res.Trailer)
		break
	}
	if !s.broken {
		_, err := io.WriteString(w.TCPConn, "GET /again HTTP/1.1\r\nHost: a.test\r\n\r\n")
		res, err2 := http.ReadResponse(w.r, nil)
		s.again = err == nil && err2 == nil && res.StatusCode == http.StatusTeapot
	}
	return s
}

func linesOf(h http.Header) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(h)) {
		lines = append(lines, fmt.Sprintf("%s:%q", name, h[name]))
	}
	return strings.Join(lines, " ")
}
