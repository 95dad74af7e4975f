package gateway

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net/http"
	"net/netip"
	"runtime/debug"

	"github.com/evergate/evergate/internal/edge/gateway/compress"
	"github.com/evergate/evergate/internal/exchange"
)

// statusGone is recorded, and never sent, when the visitor left before an answer.
const statusGone = 499

// Words of Exchange.Abort that are the gateway's.
const (
	abortGone  = "client_gone"
	abortPanic = "panic"
	abortOther = "aborted" // whoever aborted did not say why
)

// serve is the life of an exchange. With a refusal the request goes no further
// than that.
func (g *Gateway) serve(out http.ResponseWriter, r *http.Request, no *refusal) {
	rt := g.pin()
	if rt == nil {
		http.Error(out, "starting", http.StatusServiceUnavailable)
		return
	}
	x := exchange.Get()
	w := responses.Get().(*response)
	w.out, w.x, w.rt, w.place = out, x, rt, rt.nowhere
	x.Start = g.clock.Now()
	if ctx := exchange.NewContext(r.Context(), x); ctx != r.Context() {
		r = r.WithContext(ctx)
	}
	w.r = r
	// Kept from here, because the configuration may change what servers are told.
	w.accepts = compress.Visitor{Method: r.Method, AcceptEncoding: r.Header["Accept-Encoding"], CacheControl: r.Header["Cache-Control"]}
	g.metrics.inFlight.Add(1)
	defer func() {
		// recover is called here, and not in end, because only the deferred function may.
		if abort := w.end(recover()); abort {
			panic(http.ErrAbortHandler)
		}
	}()
	note(x, r)
	if no != nil {
		rt.identify(w, r)
		w.refuse(r, no)
		return
	}
	rt.entry.ServeHTTP(w, r)
}

// note writes into x what needs no judgement.
func note(x *exchange.Exchange, r *http.Request) {
	x.Method = r.Method
	x.Proto = r.Proto
	if r.ProtoMajor == 3 {
		x.Proto = "HTTP/3.0" // for an extended CONNECT quic-go writes the other protocol here
	}
	if v := r.Header["User-Agent"]; len(v) > 0 {
		x.UserAgent = v[0]
	}
	if v := r.Header["Referer"]; len(v) > 0 {
		x.Referer = v[0]
	}
	x.Scheme = "http"
	if r.TLS != nil {
		x.Scheme = "https"
		x.TLS = tlsFacts(r.TLS)
	}
}

func tlsFacts(s *tls.ConnectionState) exchange.TLS {
	t := exchange.TLS{Version: s.Version, SNI: s.ServerName}
	if len(s.VerifiedChains) > 0 {
		t.Subject = s.VerifiedChains[0][0].Subject.String()
	}
	return t
}

// end ends the exchange after the handlers have returned, or panicked with p. It
// reports whether the connection must be aborted. Whatever happened, the
// observers see the exchange exactly once, and only then it goes back.
func (w *response) end(p any) (abort bool) {
	x, rt := w.x, w.rt
	defer rt.unpin()
	switch {
	case p == nil:
		abort = w.complete()
	case p == http.ErrAbortHandler: //nolint:errorlint // net/http compares like this
		abort = true
	default:
		rt.gateway.log.Error("panic while serving", "request", x.ID, "method", x.Method, "host", x.Host, "path", x.Path,
			"panic", p, "stack", string(debug.Stack()))
		abort = !w.apologize()
		if abort {
			x.Abort = abortPanic
		}
	}
	if abort {
		w.explain()
	}
	w.settle(abort)
	rt.gateway.metrics.observe(w.place.counters, x)
	for _, o := range rt.observers {
		o.Observe(x)
	}
	rt.gateway.metrics.inFlight.Add(-1)
	w.free()
	exchange.Put(x)
	return abort
}

// complete ends a response whose handlers have returned. It reports whether the
// visitor must not take it for a whole one.
func (w *response) complete() (abort bool) {
	switch {
	case w.hijacked:
		return false
	case w.status == 0 && (w.x.Status == statusGone || w.r.Context().Err() != nil):
		w.x.Status = statusGone
		return true // net/http would send an empty 200
	case w.status == 0:
		w.WriteHeader(http.StatusOK)
	}
	if w.coder != nil {
		if err := w.coder.Close(); err != nil {
			w.fail(err)
			return true
		}
	}
	return false
}

// apologize answers 500 after a panic, and reports whether that was still possible.
func (w *response) apologize() (done bool) {
	if w.status != 0 || w.hijacked {
		return false
	}
	defer func() {
		if recover() != nil { // an own template that panics
			done = false
		}
	}()
	w.refuse(w.r, refuseInternal)
	return true
}

// explain says why a response was aborted, if whoever did it has not.
func (w *response) explain() {
	gone := w.failed != nil || w.r.Context().Err() != nil
	if w.status == 0 && !w.hijacked {
		if gone && w.x.Status == 0 {
			w.x.Status = statusGone
		}
		if w.x.Status == statusGone {
			return
		}
	}
	if why := abortReason(w.failed); why != "" {
		w.x.Abort = why // the door itself has ended it, whatever it looked like further in
	}
	if gone {
		w.x.Abort = cmp.Or(w.x.Abort, abortGone)
	}
	w.x.Abort = cmp.Or(w.x.Abort, abortOther)
}

// abortReason is why the front has ended a connection, for the error that a write
// to it brought; "" if the front has not.
func abortReason(err error) string {
	var ended interface{ AbortReason() string }
	if errors.As(err, &ended) {
		return ended.AbortReason()
	}
	return ""
}

// settle writes the sums into the exchange.
func (w *response) settle(abort bool) {
	x := w.x
	if w.status != 0 && !w.hijacked {
		x.Status = w.status
	}
	if w.failed != nil && !abort {
		x.Abort = cmp.Or(x.Abort, abortReason(w.failed), abortGone)
	}
	x.BytesOut += w.bytesOut()
	if w.body != nil {
		x.BytesIn += w.body.read.Load()
	}
	w.leaveBody()
	x.Duration = w.rt.gateway.clock.Now().Sub(x.Start)
}

// addr is the address in what net/http calls RemoteAddr, and its text; the zero
// Addr for a connection without one.
func addr(remote string) (a netip.Addr, text string) {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}, ""
	}
	if a = ap.Addr(); a.Is4() {
		for i := len(remote) - 1; i > 0; i-- {
			if remote[i] == ':' {
				return a, remote[:i]
			}
		}
	}
	a = a.Unmap().WithZone("")
	return a, a.String()
}
