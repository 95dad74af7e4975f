package std

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

// errCutOff is the cause with which a response is cut: its time is over.
var errCutOff = fmt.Errorf("response cut off: %w", context.DeadlineExceeded)

// answer makes the upstream.Response of net/http's.
func (a *attempt) answer(inner context.Context, resp *http.Response) *upstream.Response {
	r := upstream.Response{
		Status:        resp.StatusCode,
		Fields:        fieldsOf(resp.Header, resp.Trailer),
		ContentLength: resp.ContentLength,
		Trailer:       func() []upstream.Field { return nil },
		Reused:        a.reused,
	}
	if a.tap != nil {
		r.Fields = withConnection(r.Fields, a.tap.named())
	}
	if resp.StatusCode == 101 {
		a.clock.stop()
		r.ContentLength = 0
		r.Body = http.NoBody
		r.Conn = &tunnel{ReadWriteCloser: resp.Body.(io.ReadWriteCloser), a: a}
		return upstream.NewResponse(r, func() error { return nil })
	}
	if a.req.Method == "HEAD" || resp.StatusCode == 204 || resp.StatusCode == 304 {
		r.ContentLength = 0
	}
	r.Body = &bodyReader{a: a, inner: inner, body: resp.Body}
	r.Trailer = func() []upstream.Field { return fieldsOf(resp.Trailer, nil) }
	answer := upstream.NewResponse(r, func() error {
		a.body.shut()
		_ = resp.Body.Close()
		a.finish()
		return nil
	})
	answer.OnCut(func() { a.cancel(errCutOff) })
	return answer
}

// fieldsOf flattens header. net/http takes the Trailer field away; it is made
// again of the announced names.
func fieldsOf(header, announced http.Header) []upstream.Field {
	fields := make([]upstream.Field, 0, len(header)+2)
	for name, values := range header {
		for _, v := range values {
			fields = append(fields, upstream.Field{Name: name, Value: v})
		}
	}
	if len(announced) > 0 {
		names := make([]string, 0, len(announced))
		for name := range announced {
			names = append(names, name)
		}
		fields = append(fields, upstream.Field{Name: "Trailer", Value: strings.Join(names, ", ")})
	}
	return fields
}

// withConnection is fields with these values of Connection lines.
func withConnection(fields []upstream.Field, values []string) []upstream.Field {
	fields = slices.DeleteFunc(fields, func(f upstream.Field) bool { return f.Name == "Connection" })
	for _, v := range values {
		fields = append(fields, upstream.Field{Name: "Connection", Value: v})
	}
	return fields
}

// bodyReader reads the response's body with errors as the contract wants them.
type bodyReader struct {
	a     *attempt
	inner context.Context
	body  io.Reader
	err   error
}

// Read implements io.Reader.
func (b *bodyReader) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.body.Read(p)
	if err == nil || err == io.EOF { //nolint:errorlint // readers return it bare
		b.err = err
		return n, err
	}
	e := &upstream.Error{Class: exchange.Answered, Outcome: exchange.BadResponse, Reused: b.a.reused, Op: "read body", Err: &cutShort{err}}
	if !b.a.endedByContext(b.inner, e) {
		if failure := b.a.body.failure(); failure != nil {
			e.Outcome, e.Err = exchange.Canceled, failure
		}
	}
	b.err = e
	return n, e
}

// tunnel is the connection after 101.
type tunnel struct {
	io.ReadWriteCloser
	a *attempt
}

// CloseWrite tells the server that nothing more comes.
func (t *tunnel) CloseWrite() error {
	if cw, ok := t.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return http.ErrNotSupported
}

// Close implements io.Closer.
func (t *tunnel) Close() error {
	defer t.a.finish()
	return t.ReadWriteCloser.Close()
}
