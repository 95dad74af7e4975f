package framing

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/evergate/evergate/conformance/frames"
)

// streamCase is an HTTP/2 request that an HTTP/1 upstream could misunderstand.
type streamCase struct {
	name    string
	fields  []frames.Field
	body    string // a DATA frame; "": none
	trailer []frames.Field
	want    outcome // refused: an error answer, a reset or a closed connection, and nothing upstream
	check   func(*request) error
}

func pair(name, value string) frames.Field { return frames.Field{Name: name, Value: value} }

// pseudo is a GET whose pseudo field name has another value.
func pseudo(name, value string) []frames.Field {
	fields := frames.Request("GET", "/case")
	for i := range fields {
		if fields[i].Name == name {
			fields[i].Value = value
		}
	}
	return fields
}

// lacking is a GET without the pseudo field name.
func lacking(name string) []frames.Field {
	return slices.DeleteFunc(frames.Request("GET", "/case"), func(f frames.Field) bool { return f.Name == name })
}

func getWith(name, value string) []frames.Field {
	return frames.Request("GET", "/case", pair(name, value))
}

func postWith(more ...frames.Field) []frames.Field { return frames.Request("POST", "/case", more...) }

// streams: RFC 9113 sections 8.1.1, 8.2 and 8.3.
var streams = []streamCase{
	{"a plain request", frames.Request("GET", "/case"), "", nil, once, withTarget("/case")},
	{"a body without length", postWith(), "hello", nil, once, withBody("hello")},
	{"a body with its length", postWith(pair("content-length", "5")), "hello", nil, once, withBody("hello")},
	{"GET with a body", frames.Request("GET", "/case"), smuggle, nil, once, withBody(smuggle)},
	{"a length shorter than the body", postWith(pair("content-length", "1")), smuggle, nil, broken, nil},
	{"a length of zero before a body", postWith(pair("content-length", "0")), smuggle, nil, either, withBody("")}, // whole before its DATA comes
	{"a length longer than the body", postWith(pair("content-length", "100")), "hello", nil, broken, nil},
	{"a length without body", postWith(pair("content-length", "5")), "", nil, broken, nil},
	{"two lengths", postWith(pair("content-length", "5"), pair("content-length", "6")), "hello", nil, broken, nil},
	{"a length with a sign", postWith(pair("content-length", "+5")), "hello", nil, broken, nil},
	{"a length in letters", postWith(pair("content-length", "five")), "hello", nil, broken, nil},
	{"a length with another behind a line break", postWith(pair("content-length", "5\r\ncontent-length: 6")), "hello", nil, refused, nil},
	{"chunked", postWith(pair("transfer-encoding", "chunked")), "0\r\n\r\n" + smuggle, nil, refused, nil},
	{"identity", postWith(pair("transfer-encoding", "identity")), "hello", nil, refused, nil},
	{"chunked in capitals", postWith(pair("Transfer-Encoding", "chunked")), "0\r\n\r\n" + smuggle, nil, refused, nil},
	{"chunked behind a tab", postWith(pair("transfer-encoding", "\tchunked")), "0\r\n\r\n", nil, refused, nil},
	{"chunked with an underscore", postWith(pair("transfer_encoding", "chunked")), "hello", nil, once, without("transfer_encoding")},
	{"Connection", getWith("connection", "close"), "", nil, refused, nil},
	{"Keep-Alive", getWith("keep-alive", "5"), "", nil, refused, nil},
	{"Proxy-Connection", getWith("proxy-connection", "close"), "", nil, refused, nil},
	{"Upgrade", getWith("upgrade", "websocket"), "", nil, refused, nil},
	{"TE of something else than trailers", getWith("te", "gzip"), "", nil, refused, nil},
	{"TE of trailers", getWith("te", "trailers"), "", nil, once, nil},
	{"CR and LF in a value", getWith("x-a", "1\r\nx-b: 2"), "", nil, refused, nil},
	{"LF in a value", getWith("x-a", "1\nx-b: 2"), "", nil, refused, nil},
	{"CR in a value", getWith("x-a", "1\rx-b: 2"), "", nil, refused, nil},
	{"NUL in a value", getWith("x-a", "1\x00"), "", nil, refused, nil},
	{"a whole request in a value", getWith("x-a", "1\r\n\r\n"+smuggle), "", nil, refused, nil},
	{"a space before a value", getWith("x-a", " 1"), "", nil, either, withField("X-A", "1")},
	{"capitals in a name", getWith("X-A", "1"), "", nil, refused, nil},
	{"a colon in a name", getWith("x:a", "1"), "", nil, refused, nil},
	{"a space in a name", getWith("x a", "1"), "", nil, refused, nil},
	{"CR and LF in a name", getWith("x-a\r\nx-b", "1"), "", nil, refused, nil},
	{"a NUL in a name", getWith("x\x00a", "1"), "", nil, refused, nil},
	{"a byte above 0x7f in a name", getWith("x-\xe9", "1"), "", nil, refused, nil},
	{"an empty name", getWith("", "1"), "", nil, refused, nil},
	{"an unknown pseudo field", append([]frames.Field{pair(":door", "1")}, frames.Request("GET", "/case")...), "", nil, refused, nil},
	{"a pseudo field of answers", append([]frames.Field{pair(":status", "200")}, frames.Request("GET", "/case")...), "", nil, refused, nil},
	{"a pseudo field behind a field", append([]frames.Field{pair("x-a", "1")}, frames.Request("GET", "/case")...), "", nil, refused, nil},
	{"a path twice", frames.Request("GET", "/case", pair(":path", "/smuggled")), "", nil, refused, nil},
	{"a method twice", append([]frames.Field{pair(":method", "POST")}, frames.Request("GET", "/case")...), "", nil, refused, nil},
	{"an authority twice", append([]frames.Field{pair(":authority", "evil.test")}, frames.Request("GET", "/case")...), "", nil, refused, nil},
	{"no method", lacking(":method"), "", nil, refused, nil},
	{"no path", lacking(":path"), "", nil, refused, nil},
	{"no scheme", lacking(":scheme"), "", nil, refused, nil},
	{"no authority and no host", lacking(":authority"), "", nil, refused, nil},
	{"a host instead of an authority", append(lacking(":authority"), pair("host", "door.test")), "", nil, once, withField("Host", "door.test")},
	{"another host than the authority", getWith("host", "evil.test"), "", nil, either, withField("Host", "door.test")},
	{"an empty path", pseudo(":path", ""), "", nil, refused, nil},
	{"a path without slash", pseudo(":path", "case"), "", nil, refused, nil},
	{"a path with a space and a version", pseudo(":path", "/case HTTP/1.1"), "", nil, either, nil},
	{"a path with a whole request", pseudo(":path", "/case HTTP/1.1\r\nHost: door.test\r\n\r\nGET /smuggled"), "", nil, refused, nil},
	{"a path with LF", pseudo(":path", "/case\nx"), "", nil, refused, nil},
	{"a path with NUL", pseudo(":path", "/case\x00"), "", nil, refused, nil},
	{"a path with a tab", pseudo(":path", "/case\tx"), "", nil, refused, nil},
	{"a path with a fragment", pseudo(":path", "/case#part"), "", nil, either, nil},
	{"a path that is a URL", pseudo(":path", "http://evil.test/case"), "", nil, refused, nil},
	{"an asterisk for GET", pseudo(":path", "*"), "", nil, refused, nil},
	{"a method with a space", pseudo(":method", "GET /smuggled HTTP/1.1"), "", nil, refused, nil},
	{"a method with a whole request", pseudo(":method", "GET /smuggled HTTP/1.1\r\nHost: door.test\r\n\r\nGET"), "", nil, refused, nil},
	{"an empty method", pseudo(":method", ""), "", nil, refused, nil},
	{"a method with a colon", pseudo(":method", "GET:"), "", nil, refused, nil},
	{"CONNECT with a path", frames.Request("CONNECT", "/case"), "", nil, refused, nil},
	{"CONNECT", []frames.Field{pair(":method", "CONNECT"), pair(":authority", "door.test:80")}, "", nil, refused, nil},
	{"TRACE", frames.Request("TRACE", "/case"), "", nil, refused, nil},
	{"a scheme with a host", pseudo(":scheme", "http://evil.test/?"), "", nil, either, withField("Host", "door.test")},
	{"a scheme with CR and LF", pseudo(":scheme", "https\r\nx-a: 1"), "", nil, refused, nil},
	{"an authority with CR and LF", pseudo(":authority", "door.test\r\nx-a: 1"), "", nil, refused, nil},
	{"an authority with a space", pseudo(":authority", "door.test x"), "", nil, refused, nil},
	{"an authority with a path", pseudo(":authority", "door.test/x"), "", nil, refused, nil},
	{"an authority with a user", pseudo(":authority", "user@door.test"), "", nil, refused, nil},
	{"an empty authority", pseudo(":authority", ""), "", nil, refused, nil},
	{"a bad host beside the authority", getWith("host", "door.test\x0bx"), "", nil, either, withField("Host", "door.test")},
	{"cookie crumbs", frames.Request("GET", "/case", pair("cookie", "a=1"), pair("cookie", "b=2")), "", nil, once, withField("Cookie", "a=1; b=2")},
	{"Expect with a body", postWith(pair("expect", "100-continue")), "hello", nil, once, withBody("hello")},
	{"a trailer", postWith(pair("trailer", "x-sum")), "hello", []frames.Field{pair("x-sum", "1")}, once, withBody("hello")},
	{"a pseudo field in the trailer", postWith(), "hello", []frames.Field{pair(":path", "/smuggled")}, broken, nil},
	{"a length in the trailer", postWith(), "hello", []frames.Field{pair("content-length", "42")}, either, without("Content-Length")},
	{"a coding in the trailer", postWith(), "hello", []frames.Field{pair("transfer-encoding", "chunked")}, either, withBody("hello")},
	{"CR and LF in the trailer", postWith(), "hello", []frames.Field{pair("x-sum", "1\r\nx: y")}, broken, nil},
}

func TestFraming_HTTP2Requests(t *testing.T) {
	d := newDoor(t)
	for _, c := range streams {
		t.Run(c.name, func(t *testing.T) { c.run(t, d) })
	}
}

// run sends the case on stream 1 and a good request on stream 3, and judges what
// came of them.
func (c streamCase) run(t *testing.T, d *door) {
	d.recorder.take()
	client, err := frames.Dial(d.https, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	bare := c.body == "" && c.trailer == nil
	// Errors of writes are those of a door that has closed; reads tell.
	_ = client.Headers(1, bare, c.fields...)
	if c.body != "" {
		_ = client.WriteData(1, c.trailer == nil, []byte(c.body))
	}
	if c.trailer != nil {
		_ = client.Headers(1, true, c.trailer...)
	}
	first := client.Await(1)
	_ = client.Headers(3, true, frames.Request("GET", "/last")...)
	second := frames.Answer{Gone: true}
	if !first.Gone {
		second = client.Await(3)
	}
	whole, begun, breaches := d.recorder.take()
	if !second.Gone && len(whole) > 0 && whole[len(whole)-1].target == "/last" {
		whole = whole[:len(whole)-1]
		begun--
	}
	fail := func(what string) {
		t.Errorf("%s: answer %+v, then %+v; upstream: %d heads, whole %s", what, first, second, begun, list(whole))
	}
	if len(breaches) > 0 {
		fail("malformed upstream: " + breaches[0].Error())
	}
	if !second.Gone && second.Status != "200" {
		fail("the next stream was hurt")
	}
	status, _ := strconv.Atoi(first.Status)
	no := first.Reset || first.Gone || refusal(status)
	switch c.want {
	case either:
		if len(whole) > 1 || len(whole) == 0 && !no {
			fail("want a refusal, or exactly this request upstream")
		}
	case refused:
		if !no || begun > 0 {
			fail("want a refusal and nothing upstream")
		}
	case broken:
		if !no || len(whole) > 0 {
			fail("want a refusal and nothing whole upstream")
		}
	case once:
		if status != 200 || len(whole) != 1 {
			fail("want exactly this request upstream")
		}
	}
	for _, q := range whole {
		if q.target == "/smuggled" {
			fail("a request was smuggled")
		}
		if c.check != nil {
			if err := c.check(q); err != nil {
				fail(err.Error())
			}
		}
	}
}
