package framing

import (
	"fmt"
	"slices"
	"strings"
)

// outcome is what may become of a request.
type outcome int

const (
	refused   outcome = iota // an error answer, the connection closed, not a byte upstream
	once                     // exactly this request upstream, and the one behind it
	either                   // one or the other: the RFC leaves it open
	broken                   // faulty in its body: an error answer, the connection closed, nothing whole upstream
	firstOnly                // the first of several is good, what follows it is refused
	onceOver                 // exactly this request upstream, and nothing behind it: the door ends the connection
	ours                     // answered by the door itself, and the one behind it goes upstream
)

// rawCase is a request in bytes. Behind it last is sent on the same connection.
type rawCase struct {
	name  string
	raw   string
	want  outcome
	check func(*request) error // of the request upstream; nil: well-formed is enough
}

const (
	last    = "GET /last HTTP/1.1\r\nHost: door.test\r\nConnection: close\r\n\r\n"
	smuggle = "GET /smuggled HTTP/1.1\r\nHost: door.test\r\n\r\n"
)

// post is a POST with the field lines and body given.
func post(lines, body string) string {
	return "POST /case HTTP/1.1\r\nHost: door.test\r\n" + lines + "\r\n" + body
}

// get is a GET with the field lines given.
func get(lines string) string {
	return "GET /case HTTP/1.1\r\nHost: door.test\r\n" + lines + "\r\n"
}

// chunkedPost is a chunked POST with the body given.
func chunkedPost(body string) string { return post("Transfer-Encoding: chunked\r\n", body) }

func withBody(want string) func(*request) error {
	return func(q *request) error {
		if q.body != want {
			return fmt.Errorf("body %q, want %q", q.body, want)
		}
		return nil
	}
}

func without(names ...string) func(*request) error {
	return func(q *request) error {
		for _, name := range names {
			if v := q.values(name); len(v) > 0 {
				return fmt.Errorf("%s: %q was passed on", name, v)
			}
		}
		return nil
	}
}

func withField(name string, want ...string) func(*request) error {
	return func(q *request) error {
		if got := q.values(name); !slices.Equal(got, want) {
			return fmt.Errorf("%s: %q, want %q", name, got, want)
		}
		return nil
	}
}

func withTarget(want string) func(*request) error {
	return func(q *request) error {
		if q.target != want {
			return fmt.Errorf("target %q, want %q", q.target, want)
		}
		return nil
	}
}

// lengths: RFC 9112 section 6, RFC 9110 section 8.6.
var lengths = []rawCase{
	{"a length", post("Content-Length: 5\r\n", "hello"), once, withBody("hello")},
	{"a length of zero", post("Content-Length: 0\r\n", ""), once, withBody("")},
	{"a length with leading zeros", post("Content-Length: 0005\r\n", "hello"), once, withBody("hello")},
	{"a length twice, the same", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), either, withBody("hello")},
	{"a list of the same length", post("Content-Length: 5, 5\r\n", "hello"), either, withBody("hello")},
	{"two lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), refused, nil},
	{"two lengths, the second in other letters", post("Content-Length: 0\r\ncontent-LENGTH: 42\r\n", smuggle), refused, nil},
	{"a list of two lengths", post("Content-Length: 5, 6\r\n", "hello"), refused, nil},
	{"a length with a sign", post("Content-Length: +5\r\n", "hello"), refused, nil},
	{"a negative length", post("Content-Length: -5\r\n", "hello"), refused, nil},
	{"a negative zero", post("Content-Length: -0\r\n", ""), refused, nil},
	{"a hexadecimal length", post("Content-Length: 0x5\r\n", "hello"), refused, nil},
	{"a length with an exponent", post("Content-Length: 5e0\r\n", "hello"), refused, nil},
	{"a length with an underscore", post("Content-Length: 1_0\r\n", "0123456789"), refused, nil},
	{"a length with a fraction", post("Content-Length: 5.0\r\n", "hello"), refused, nil},
	{"a length with a space inside", post("Content-Length: 5 5\r\n", "hello"), refused, nil},
	{"an empty length", post("Content-Length:\r\n", ""), refused, nil},
	{"a length in letters", post("Content-Length: five\r\n", "hello"), refused, nil},
	{"a length beyond 64 bits", post("Content-Length: 18446744073709551621\r\n", "hello"), refused, nil},
	{"a length behind a VT", post("Content-Length: \x0b5\r\n", "hello"), refused, nil},
	{"a length behind a NUL", post("Content-Length: \x005\r\n", "hello"), refused, nil},
	{"a length in full-width digits", post("Content-Length: \uff15\r\n", "hello"), refused, nil},
	{"a length with a space before the colon", post("Content-Length : 5\r\n", "hello"), refused, nil},
	{"a length with a tab before the colon", post("Content-Length\t: 5\r\n", "hello"), refused, nil},
	{"a length folded onto the next line", post("Content-Length:\r\n 5\r\n", "hello"), either, withBody("hello")},
	{"a length named with an underscore", post("Content_Length: 42\r\n", ""), once, without("Content_Length")},
	{"a length larger than what follows", post("Content-Length: 5000\r\n", smuggle), broken, nil},
	{"a length that Connection names", post("Connection: content-length\r\nContent-Length: 5\r\n", "hello"), either, withBody("hello")},
	{"GET with a body", "GET /case HTTP/1.1\r\nHost: door.test\r\nContent-Length: 42\r\n\r\n" + smuggle[:42], once, withBody(smuggle[:42])},
	{"HEAD with a body", "HEAD /case HTTP/1.1\r\nHost: door.test\r\nContent-Length: 42\r\n\r\n" + smuggle[:42], once, withBody(smuggle[:42])},
	{"DELETE with a body", "DELETE /case HTTP/1.1\r\nHost: door.test\r\nContent-Length: 5\r\n\r\nhello", once, withBody("hello")},
	{"GET with a chunked body", "GET /case HTTP/1.1\r\nHost: door.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", onceOver, withBody("hello")},
	{"a body that looks like a request", post(fmt.Sprintf("Content-Length: %d\r\n", len(smuggle)), smuggle), once, withBody(smuggle)},
	{"a POST without any length", post("", ""), once, withBody("")},
}

// codings: RFC 9112 sections 6.1 and 7.
var codings = []rawCase{
	{"chunked", chunkedPost("5\r\nhello\r\n0\r\n\r\n"), onceOver, withBody("hello")},
	{"chunked in other letters", post("Transfer-Encoding: cHuNkEd\r\n", "5\r\nhello\r\n0\r\n\r\n"), onceOver, withBody("hello")},
	{"chunked behind a tab", post("Transfer-Encoding:\tchunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), onceOver, withBody("hello")},
	{"chunked folded onto the next line", post("Transfer-Encoding:\r\n chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), either, withBody("hello")},
	{"length and chunked", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), either, withBody("")},
	{"chunked and length", post("Transfer-Encoding: chunked\r\nContent-Length: 100\r\n", "5\r\nhello\r\n0\r\n\r\n"), either, withBody("hello")},
	{"chunked and a bad length", post("Transfer-Encoding: chunked\r\nContent-Length: +5\r\n", "5\r\nhello\r\n0\r\n\r\n"), either, withBody("hello")},
	{"chunked behind a VT", post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"), refused, nil},
	{"chunked behind a NUL", post("Transfer-Encoding: \x00chunked\r\n", "0\r\n\r\n"), refused, nil},
	{"chunked before a VT", post("Transfer-Encoding: chunked\x0b\r\n", "0\r\n\r\n"), refused, nil},
	{"chunked behind a bare CR", post("Transfer-Encoding: \rchunked\r\n", "0\r\n\r\n"), refused, nil},
	{"chunked twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), refused, nil},
	{"chunked twice in one line", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), refused, nil},
	{"chunked, then identity", post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), refused, nil},
	{"identity, then chunked", post("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"), refused, nil},
	{"identity beside chunked in two lines", post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), refused, nil},
	{"identity alone", post("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", "hello"), refused, nil},
	{"gzip, then chunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), refused, nil},
	{"xchunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), refused, nil},
	{"chunked with a parameter", post("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"), refused, nil},
	{"chunked in quotes", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), refused, nil},
	{"an empty coding", post("Transfer-Encoding:\r\nContent-Length: 5\r\n", "hello"), refused, nil},
	{"a coding of commas", post("Transfer-Encoding: ,chunked\r\n", "0\r\n\r\n"), refused, nil},
	{"a coding with a space before the colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), refused, nil},
	{"a coding named with an underscore", post("Transfer_Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), once, without("Transfer_Encoding")},
	{"a coding that Connection names", post("Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), either, withBody("hello")},
	{"TE is not Transfer-Encoding", get("TE: chunked\r\nConnection: TE\r\n"), once, without("TE")},
}

// chunking: RFC 9112 section 7.1; what is wrong shows only in the body.
var chunking = []rawCase{
	{"several chunks", chunkedPost("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), onceOver, withBody("hello world")},
	{"a size in capitals with leading zeros", chunkedPost("00000A\r\n0123456789\r\n0\r\n\r\n"), onceOver, withBody("0123456789")},
	{"an extension", chunkedPost("5;name=value\r\nhello\r\n0;x\r\n\r\n"), onceOver, withBody("hello")},
	{"a quoted extension", chunkedPost("5;name=\"a;b\"\r\nhello\r\n0\r\n\r\n"), onceOver, withBody("hello")},
	{"a space before an extension", chunkedPost("5 ;x\r\nhello\r\n0\r\n\r\n"), either, withBody("hello")},
	{"a space behind the size", chunkedPost("5 \r\nhello\r\n0\r\n\r\n"), either, withBody("hello")},
	{"a bare LF behind the size", chunkedPost("5\nhello\r\n0\r\n\r\n"), broken, nil},
	{"a bare LF in an extension", chunkedPost("5;\nhello\r\n0\r\n\r\n" + smuggle), broken, nil},
	{"a bare CR in an extension", chunkedPost("5;a\rb\r\nhello\r\n0\r\n\r\n"), broken, nil},
	{"a bare CR behind the size", chunkedPost("5\rhello\r\n0\r\n\r\n"), broken, nil},
	{"two CRs behind the size", chunkedPost("5\r\r\nhello\r\n0\r\n\r\n"), broken, nil},
	{"a bare LF behind the data", chunkedPost("5\r\nhello\n0\r\n\r\n"), broken, nil},
	{"no line end behind the data", chunkedPost("5\r\nhello0\r\n\r\n"), broken, nil},
	{"two bytes of junk behind the data", chunkedPost("5\r\nhelloXX0\r\n\r\n"), broken, nil},
	{"a size with 0x", chunkedPost("0x5\r\nhello\r\n0\r\n\r\n"), broken, nil},
	{"a size with a sign", chunkedPost("+5\r\nhello\r\n0\r\n\r\n"), broken, nil},
	{"a negative size", chunkedPost("-5\r\nhello\r\n0\r\n\r\n"), broken, nil},
	{"a size with an underscore", chunkedPost("1_0\r\n0123456789abcdef\r\n0\r\n\r\n"), broken, nil},
	{"a size behind a space", chunkedPost(" 5\r\nhello\r\n0\r\n\r\n"), broken, nil},
	{"a size behind a VT", chunkedPost("\x0b5\r\nhello\r\n0\r\n\r\n"), broken, nil},
	{"a size of no digits", chunkedPost("\r\nhello\r\n0\r\n\r\n"), broken, nil},
	{"a size of junk", chunkedPost("xyz\r\nhello\r\n0\r\n\r\n"), broken, nil},
	{"a size beyond 64 bits", chunkedPost("10000000000000005\r\nhello\r\n0\r\n\r\n"), broken, nil},
	{"a size of minus one in 64 bits", chunkedPost("ffffffffffffffff\r\nhello\r\n0\r\n\r\n"), broken, nil},
	{"an endless extension", chunkedPost("5;" + strings.Repeat("x", 20<<10) + "\r\nhello\r\n0\r\n\r\n"), broken, nil},
	{"a last chunk with a bare LF", chunkedPost("5\r\nhello\r\n0\n\n"), broken, nil},
	{"a last chunk of many zeros", chunkedPost("5\r\nhello\r\n0000\r\n\r\n"), onceOver, withBody("hello")},
	{"a trailer", post("Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"), onceOver, withBody("hello")},
	{"a trailer that nobody announced", chunkedPost("5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"), onceOver, withBody("hello")},
	{"a length in the trailer", chunkedPost("5\r\nhello\r\n0\r\nContent-Length: 42\r\n\r\n"), either, without("Content-Length")},
	{"a length announced for the trailer", post("Trailer: Content-Length\r\nTransfer-Encoding: chunked\r\n", "0\r\nContent-Length: 42\r\n\r\n"), either, without("Content-Length")},
	{"a coding in the trailer", chunkedPost("5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"), either, withBody("hello")},
	{"a Host in the trailer", chunkedPost("5\r\nhello\r\n0\r\nHost: evil.test\r\n\r\n"), either, withField("Host", "door.test")},
	{"a trailer with bare LF", chunkedPost("5\r\nhello\r\n0\r\nX-Sum: 1\n\r\n"), either, withBody("hello")},
	{"a trailer line without colon", chunkedPost("5\r\nhello\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n"), broken, nil},
	{"a trailer with a space before the colon", chunkedPost("5\r\nhello\r\n0\r\nX-Sum : 1\r\n\r\n"), either, withBody("hello")},
	{"a trailer with a NUL", chunkedPost("5\r\nhello\r\n0\r\nX-Sum: \x00\r\n\r\n"), broken, nil},
	{"a trailer with a bare CR", chunkedPost("5\r\nhello\r\n0\r\nX-Sum: a\rContent-Length: 5\r\n\r\n"), broken, nil},
}
