// Command origin is the server behind every proxy of the benchmark. It answers
// at fixed cost, with bytes made at start: a goroutine per connection, one read
// and one write per request in the common case, no header parsed but
// Content-Length. On two cores it shares them with the proxy under test, so it
// should take as little of them as a Go program can.
//
// It is no web server: it trusts that the proxy before it sends proper
// requests, and closes the connection on anything that it does not know.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"strconv"
	"strings"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	flag.Parse()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	log.Print(serve(l))
}

// answers by path. "/health" is for the proxies' own checks.
var answers = map[string][]byte{
	"/health":     answer(2),
	"/bench-1k":   answer(1 << 10),
	"/bench-100k": answer(100 << 10),
}

// answer returns a whole response with a JSON text of size bytes.
func answer(size int) []byte {
	body := "{}"
	if frame := len(`{"text":""}`); size >= frame {
		body = `{"text":"` + strings.Repeat("evergate", size/8+1)[:size-frame] + `"}`
	}
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n%s", size, body)
}

func serve(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			if err := converse(conn); err != nil && !errors.Is(err, io.EOF) {
				log.Printf("origin: %v", err)
			}
		}()
	}
}

// converse answers requests until the other side closes.
func converse(conn net.Conn) error {
	r := bufio.NewReaderSize(conn, 8<<10)
	for {
		response, length, err := readHead(r)
		if err != nil {
			return err
		}
		if _, err := r.Discard(length); err != nil {
			return err
		}
		if _, err := conn.Write(response); err != nil {
			return err
		}
	}
}

// readHead reads a request line and header and returns the answer to it and the
// length of the body that comes before the next.
func readHead(r *bufio.Reader) (response []byte, length int, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return nil, 0, err
	}
	_, rest, _ := bytes.Cut(line, []byte(" "))
	path, _, found := bytes.Cut(rest, []byte(" "))
	response = answers[string(path)]
	if !found || response == nil {
		return nil, 0, fmt.Errorf("no answer to %q", line)
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return nil, 0, err
		}
		if len(line) <= 2 {
			return response, length, nil
		}
		// The first letter decides for most fields; the rest is not looked at.
		switch line[0] {
		case 'C', 'c':
			if value, ok := cutField(line, "Content-Length"); ok {
				if length, err = strconv.Atoi(value); err != nil {
					return nil, 0, err
				}
			}
		case 'T', 't':
			if _, ok := cutField(line, "Transfer-Encoding"); ok {
				return nil, 0, errors.New("a chunked request: the load has a Content-Length, and no proxy should change that")
			}
		}
	}
}

// cutField returns the value of line if it is the field called name, in any
// case of letters.
func cutField(line []byte, name string) (string, bool) {
	if len(line) <= len(name) || line[len(name)] != ':' || !strings.EqualFold(string(line[:len(name)]), name) {
		return "", false
	}
	return strings.TrimSpace(string(line[len(name)+1:])), true
}
