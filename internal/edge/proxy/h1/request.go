package h1

import (
	"bytes"
	"fmt"
	"io"
	"net/textproto"
	"strconv"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/httpfield"
)

// output is a request on its way out: its head, and behind it its body if that
// is small.
type output struct {
	b     []byte
	lines int // line ends written so far; one more in b was smuggled in by a value
}

func (o *output) free() {
	if cap(o.b) > smallBody+16<<10 {
		return
	}
	o.b, o.lines = o.b[:0], 0
	outbox.Put(o)
}

// compose writes req as HTTP/1.1 (RFC 9112 section 3). A body of known length
// up to smallBody that nobody waits for is read from req and written behind the
// head; for any other body stream is true. Errors wrap ErrInvalidRequest or
// ErrRequestBody.
func (o *output) compose(req *upstream.Request) (stream bool, err error) {
	if !httpfield.IsToken(req.Method) || req.Method == "CONNECT" {
		return false, fmt.Errorf("%w: method %.40q", upstream.ErrInvalidRequest, req.Method)
	}
	if !validTarget(req.Target) {
		return false, fmt.Errorf("%w: target %.80q", upstream.ErrInvalidRequest, req.Target)
	}
	o.b = append(o.b, req.Method...)
	o.b = append(o.b, ' ')
	o.b = append(o.b, req.Target...)
	o.b = append(o.b, " HTTP/1.1\r\nHost: "...)
	o.b = append(o.b, req.Host...)
	o.b = append(o.b, "\r\n"...)
	o.lines = 2

	trailersWanted := false
	for name, values := range req.Header {
		key, ok := fieldKey(name)
		if !ok {
			return false, fmt.Errorf("%w: field name %.40q", upstream.ErrInvalidRequest, name)
		}
		switch key {
		case "Te":
			trailersWanted = trailersWanted || httpfield.HasToken(values, "trailers")
			continue
		case "Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "Trailer", "Expect":
			continue // framing is ours
		}
		if replaced(key, req.Extra) {
			continue
		}
		for _, v := range values {
			o.field(name, v)
		}
	}
	for i := range req.Extra {
		f := &req.Extra[i]
		if !httpfield.IsToken(f.Name) {
			return false, fmt.Errorf("%w: field name %.40q", upstream.ErrInvalidRequest, f.Name)
		}
		o.field(f.Name, f.Value)
	}
	o.framing(req, trailersWanted)
	o.b = append(o.b, "\r\n"...)
	o.lines++

	if bytes.Count(o.b, lf) != o.lines || bytes.Count(o.b, cr) != o.lines || bytes.IndexByte(o.b, 0) >= 0 {
		return false, fmt.Errorf("%w: line end or NUL in a field value", upstream.ErrInvalidRequest)
	}
	if req.Body == nil || req.ContentLength == 0 {
		return false, nil
	}
	if req.Expect || req.ContentLength < 0 || req.ContentLength > smallBody || req.Interrupt != nil {
		return true, nil // a body that the visitor still sends must not be used up before there is a connection
	}
	return false, o.body(req)
}

var lf, cr = []byte{'\n'}, []byte{'\r'}

// field appends one field line.
func (o *output) field(name, value string) {
	o.b = append(o.b, name...)
	o.b = append(o.b, ": "...)
	o.b = append(o.b, value...)
	o.b = append(o.b, "\r\n"...)
	o.lines++
}

// framing appends the fields that the transport itself is responsible for.
func (o *output) framing(req *upstream.Request, trailersWanted bool) {
	switch {
	case req.Body == nil:
		// RFC 9110 section 8.6: a method that anticipates content says that there is none.
		if req.Method == "POST" || req.Method == "PUT" || req.Method == "PATCH" {
			o.field("Content-Length", "0")
		}
	case req.ContentLength >= 0:
		o.b = append(o.b, "Content-Length: "...)
		o.b = strconv.AppendInt(o.b, req.ContentLength, 10)
		o.b = append(o.b, "\r\n"...)
		o.lines++
	default:
		o.field("Transfer-Encoding", "chunked")
		if len(req.Trailer) > 0 {
			o.b = append(o.b, "Trailer: "...)
			first := true
			for name := range req.Trailer {
				if !first {
					o.b = append(o.b, ", "...)
				}
				o.b, first = append(o.b, name...), false
			}
			o.b = append(o.b, "\r\n"...)
			o.lines++
		}
	}
	if req.Expect && req.Body != nil && req.ContentLength != 0 {
		o.field("Expect", "100-continue")
	}
	switch {
	case req.Upgrade != "":
		o.field("Connection", "Upgrade")
		o.field("Upgrade", req.Upgrade)
	case trailersWanted: // RFC 9110 section 10.1.4
		o.field("Te", "trailers")
		o.field("Connection", "TE")
	}
}

// body reads a small body behind the head.
func (o *output) body(req *upstream.Request) error {
	n := len(o.b)
	size := int(req.ContentLength)
	if cap(o.b)-n < size {
		grown := make([]byte, n, max(n+size, 2*cap(o.b)))
		copy(grown, o.b)
		o.b = grown
	}
	o.b = o.b[:n+size]
	if _, err := io.ReadFull(req.Body, o.b[n:]); err != nil {
		return requestBodyError(err)
	}
	return nil
}

func requestBodyError(err error) error {
	if err == io.EOF { //nolint:errorlint // readers return it bare
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: %w", upstream.ErrRequestBody, err)
}

// fieldKey is name in canonical form; ok is false if name is not a token.
func fieldKey(name string) (key string, ok bool) {
	token, canonical := httpfield.InspectName(name)
	if !token {
		return "", false
	}
	if canonical {
		return name, true
	}
	return textproto.CanonicalMIMEHeaderKey(name), true
}

func replaced(key string, extra []upstream.Field) bool {
	for i := range extra {
		if extra[i].Name == key {
			return true
		}
	}
	return false
}

// validTarget reports whether target can stand in a request line.
func validTarget(target string) bool {
	if target == "" || (target[0] != '/' && target != "*") {
		return false
	}
	for i := range len(target) {
		if target[i] <= ' ' || target[i] == 0x7f {
			return false
		}
	}
	return true
}
