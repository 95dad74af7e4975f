package std

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"

	"golang.org/x/net/http/httpguts"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

// attempt is one request on its way through net/http, watched by httptrace.
type attempt struct {
	t      *Transport
	ctx    context.Context // the caller's
	cancel context.CancelCauseFunc
	req    *upstream.Request
	body   *gate // nil: none
	clock  *clock

	mu          sync.Mutex // guards the fields below: net/http calls back on its own goroutines
	over        bool       // RoundTrip has returned: no call back reaches the caller
	busy        bool       // counted in Transport.busy
	wire        *wire      // nil: no connection yet
	tap         *tap       // nil over HTTP/2
	written     int64      // bytes on the wire before this request
	read        int64
	reused      bool
	wroteHeader bool
	wroteAll    bool
	interims    int
}

// errHeadTimeout is the cause with which an attempt is cancelled whose time for
// the head is over.
var errHeadTimeout = errors.New("no response in time")

// RoundTrip implements upstream.Transport.
func (t *Transport) RoundTrip(ctx context.Context, req *upstream.Request) (*upstream.Response, error) {
	a := &attempt{t: t, ctx: ctx, req: req}
	if ctx.Err() != nil {
		return nil, &upstream.Error{Outcome: contextOutcome(ctx), Op: "wait for a connection", Err: context.Cause(ctx)}
	}
	inner, cancel := context.WithCancelCause(ctx)
	a.cancel = cancel
	a.clock = newClock(req.Timeout, func() { cancel(errHeadTimeout) })
	if req.Body != nil && req.ContentLength != 0 {
		a.body = newGate(req, a.clock)
	}
	r, err := t.request(req, a.body)
	if err != nil {
		a.clock.stop()
		cancel(nil)
		return nil, &upstream.Error{Outcome: exchange.Canceled, Op: "write request", Err: err}
	}
	trace := &httptrace.ClientTrace{
		GotConn:        a.gotConn,
		WroteHeaders:   a.wroteHeaders,
		WroteRequest:   a.wroteRequest,
		Got1xxResponse: a.got1xx,
	}
	if a.body != nil {
		trace.Wait100Continue, trace.Got100Continue = a.body.waiting, a.body.wanted
	}
	inner = httptrace.WithClientTrace(inner, trace)
	if a.body != nil {
		// net/http waits for its writer before it returns; wake that one.
		defer context.AfterFunc(inner, a.body.close)()
	}
	rt := t.rt
	if req.Fresh && t.fresh != nil {
		rt = t.fresh
	}
	resp, err := rt.RoundTrip(r.WithContext(inner))
	if err == nil {
		err = a.judge(resp)
	}
	a.end()
	if err != nil {
		e := a.fail(inner, err)
		a.finish()
		return nil, e
	}
	return a.answer(inner, resp), nil
}

// judge refuses final responses that net/http lets pass.
func (a *attempt) judge(resp *http.Response) error {
	fields, valid := 0, true
	for name, values := range resp.Header {
		fields += len(values)
		valid = valid && httpguts.ValidHeaderFieldName(name)
	}
	var err error
	switch {
	case !valid:
		err = ErrFieldName
	case resp.StatusCode < 100 || resp.StatusCode > 999:
		err = fmt.Errorf("%w: %d", ErrStatus, resp.StatusCode)
	case fields > a.t.o.ResponseHeaderFields:
		err = ErrTooManyFields
	case resp.StatusCode == 101 && a.req.Upgrade == "":
		err = ErrUnasked
	}
	if err != nil {
		a.cancel(err)
		_ = resp.Body.Close()
	}
	return err
}

// end keeps later call backs from the caller, and waits for one under way.
func (a *attempt) end() {
	a.clock.stop()
	a.body.answered()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
}

// finish gives up what the attempt holds.
func (a *attempt) finish() {
	a.body.shut()
	a.cancel(nil)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.busy {
		a.busy = false
		a.t.busy.Add(-1)
	}
}

func (a *attempt) gotConn(info httptrace.GotConnInfo) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return
	}
	if a.wroteHeader {
		a.t.hidden.Add(1) // net/http does it all again
	}
	if !a.busy {
		a.busy = true
		a.t.busy.Add(1)
	}
	a.wroteHeader, a.wroteAll, a.reused = false, false, info.Reused
	if a.wire = wireOf(info.Conn); a.wire != nil {
		a.written, a.read = a.wire.written.Load(), a.wire.read.Load()
	}
	if a.tap, _ = info.Conn.(*tap); a.tap != nil && !a.tap.begin(a.req.Method) {
		_ = a.tap.Close() // before the request is written
	}
}

func (a *attempt) wroteHeaders() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wroteHeader = true
}

func (a *attempt) wroteRequest(info httptrace.WroteRequestInfo) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wroteAll = a.wroteAll || info.Err == nil
}

// got1xx runs while RoundTrip waits; holding mu keeps RoundTrip from returning
// in the middle of it.
func (a *attempt) got1xx(status int, header textproto.MIMEHeader) (err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over || status == 101 {
		return nil
	}
	a.interims++
	if a.interims > interimMax {
		a.cancel(ErrTooManyInterim)
		return ErrTooManyInterim
	}
	if a.req.Interim == nil {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("interim response: panic: %v", v)
		}
	}()
	a.req.Interim(status, fieldsOf(http.Header(header), nil))
	return nil
}
