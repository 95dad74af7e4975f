package framing

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// errCut says that the bytes ended within a request which was well-formed so far.
var errCut = errors.New("cut")

// request is one request as an upstream got it.
type request struct {
	method, target string
	fields         []field
	body           string
	trailer        []field
}

type field struct{ name, value string }

// values returns those of a field, by any letter case.
func (r *request) values(name string) (all []string) {
	for _, f := range r.fields {
		if strings.EqualFold(f.name, name) {
			all = append(all, f.value)
		}
	}
	return all
}

// parse reads one request by the letter of RFC 9112: what a recipient may
// tolerate is an error here, because a proxy must send none of it. head is called
// when the header is whole, before the body. io.EOF: no more requests; errCut: an
// incomplete one; other errors say what is malformed.
func parse(r *bufio.Reader, head func(*request)) (*request, error) {
	first, err := line(r)
	if err != nil {
		return nil, err
	}
	parts := strings.Split(first, " ")
	if len(parts) != 3 || !token(parts[0]) || !target(parts[1]) || parts[2] != "HTTP/1.1" {
		return nil, fmt.Errorf("request line %q", first)
	}
	q := &request{method: parts[0], target: parts[1]}
	if q.fields, err = fields(r); err != nil {
		return nil, err
	}
	length, chunked, err := framing(q)
	if err != nil {
		return nil, err
	}
	if head != nil {
		head(q)
	}
	if chunked {
		return q, chunks(r, q)
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, errCut
	}
	q.body = string(body)
	return q, nil
}

// framing says how the body ends, and what is wrong with that.
func framing(q *request) (length int, chunked bool, err error) {
	if hosts := q.values("Host"); len(hosts) != 1 || strings.ContainsAny(hosts[0], " \t/@,") {
		return 0, false, fmt.Errorf("Host %q", hosts)
	}
	lengths, codings := q.values("Content-Length"), q.values("Transfer-Encoding")
	switch {
	case len(lengths)+len(codings) > 1:
		return 0, false, fmt.Errorf("Content-Length %q with Transfer-Encoding %q", lengths, codings)
	case len(codings) == 1:
		if !strings.EqualFold(codings[0], "chunked") {
			return 0, false, fmt.Errorf("Transfer-Encoding %q", codings)
		}
		return 0, true, nil
	case len(lengths) == 1:
		if lengths[0] == "" || strings.Trim(lengths[0], "0123456789") != "" {
			return 0, false, fmt.Errorf("Content-Length %q", lengths)
		}
		length, err = strconv.Atoi(lengths[0])
		if err == nil && length > 1<<20 {
			err = fmt.Errorf("Content-Length %d", length)
		}
	}
	return length, false, err
}

// chunks reads a chunked body with its trailer into q.
func chunks(r *bufio.Reader, q *request) error {
	for {
		size, err := line(r)
		if err != nil {
			return cut(err)
		}
		n, err := strconv.ParseUint(size, 16, 20)
		if err != nil || strings.ContainsAny(size, "+-_") {
			return fmt.Errorf("chunk size %q", size)
		}
		if n == 0 {
			q.trailer, err = fields(r)
			for _, f := range q.trailer {
				if slices.Contains([]string{"content-length", "transfer-encoding", "host", "connection"}, strings.ToLower(f.name)) {
					return fmt.Errorf("trailer field %q", f.name)
				}
			}
			return err
		}
		chunk := make([]byte, n+2)
		if _, err := io.ReadFull(r, chunk); err != nil {
			return errCut
		}
		if !bytes.HasSuffix(chunk, []byte("\r\n")) {
			return fmt.Errorf("chunk ends with %q", chunk[n:])
		}
		q.body += string(chunk[:n])
	}
}

// fields reads field lines up to and with the empty one.
func fields(r *bufio.Reader) (all []field, err error) {
	for {
		text, err := line(r)
		if err != nil {
			return nil, cut(err)
		}
		if text == "" {
			return all, nil
		}
		name, value, ok := strings.Cut(text, ":")
		if !ok || !token(name) || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			return nil, fmt.Errorf("field line %q", text)
		}
		all = append(all, field{name, strings.Trim(value, " \t")})
	}
}

// line reads up to CRLF, without it. A bare CR or LF is an error.
func line(r *bufio.Reader) (string, error) {
	text, err := r.ReadString('\n')
	if err != nil {
		if text == "" {
			return "", io.EOF
		}
		return "", errCut
	}
	text, ok := strings.CutSuffix(text, "\r\n")
	if !ok || strings.ContainsAny(text, "\r\x00") {
		return "", fmt.Errorf("line %q with a bare CR, LF or NUL", text)
	}
	return text, nil
}

// cut is err where the end of the bytes is not an end.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return errCut
	}
	return err
}

// token is RFC 9110 section 5.6.2.
func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.ContainsRune("!#$%&'*+-.^_`|~", c))
	})
}

// target is what a proxy sends: origin form, or the asterisk. Old browsers send
// bytes above 0x7f in queries as they are, and a query passes byte for byte: they
// are no URI (RFC 3986 section 2), but no line can be misread by them.
func target(s string) bool {
	path, query, _ := strings.Cut(s, "?")
	return (s == "*" || strings.HasPrefix(s, "/")) &&
		!strings.ContainsFunc(path, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '#' }) &&
		!strings.ContainsFunc(query, func(c rune) bool { return c <= ' ' || c == 0x7f || c == '#' })
}
