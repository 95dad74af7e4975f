package gateway

import "net/http"

// step is one stage of a request's way. It is made once, when a runtime is
// prepared; what it knows of a single request is in the response and the
// exchange. A nil step has nothing to do and is left out.
type step func(next http.Handler) http.Handler

// A request's way, in the order of the guide, section 2. What is before stands in
// package front: accept and TLS (0, 1), and the ACME challenge (3), which no list
// and no maintenance may keep from a renewal.
//
// serve (exchange.go) is stage 2: it takes the exchange from the pool, pins the
// runtime and, after the last byte, has the observers read.

// beforeRoute is what a request meets while its route is unknown.
func (rt *Runtime) beforeRoute() http.Handler {
	return chain(http.HandlerFunc(rt.match), // 5: host, then path, then method and header
		rt.introduce, // 4: who asks, and by what id
		rt.inspect,   //    one normal form of host and path; nothing that could be read in two ways
		rt.announce,  //    what we say of the visitor, now that the visitor's own copies are gone
	)
}

// onRoute is what a request meets on the route of p; answer is stages 10 to 13.
func (rt *Runtime) onRoute(p *place, answer http.Handler) http.Handler {
	return chain(answer,
		rt.toHTTPS(p.site.cfg),   // 6: access
		admit(p.site.cfg.Access), //    the site's networks
		admit(p.cfg.Access),      //    the route's
		maintenance(p.site),      //
		rt.limitBody(p),          // 8: what the route asks for
		dropOdd(p),               //    names that servers would mistake for others
		changeRequest(p),         //    headers, the site's then the route's
		rewrite(p),               //    the path that goes to the server
		compressed(p),            // 9
	)
	// On its way back a response meets, in response.finishHeader, its header
	// changes, compression of what they made, and at last what is ours to say.
}

// onEndpoint is what a request meets on an endpoint of ours. Maintenance is not
// among it: whoever turned it on there must be able to turn it off.
func (rt *Runtime) onEndpoint(p *place, answer http.Handler) http.Handler {
	return chain(answer,
		rt.toHTTPS(p.site.cfg),
		admit(p.site.cfg.Access),
		rt.limitBody(p),
	)
}

// chain puts steps before a handler; the first one is met first.
func chain(last http.Handler, steps ...step) http.Handler {
	for i := len(steps) - 1; i >= 0; i-- {
		if steps[i] != nil {
			last = steps[i](last)
		}
	}
	return last
}
