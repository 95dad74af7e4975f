package api

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// refusal is why somebody was turned away: a word of the metric.
type refusal string

// The refusals. They are about who asks, not about what was asked for.
const (
	ofHost      refusal = "host"              // for the name of another machine
	ofOtherSite refusal = "other_site"        // a browser, for a page of another site
	ofNoToken   refusal = "no_token"          // no token, or none that can be taken for this
	ofToken     refusal = "wrong_token"       // one that does not exist
	ofGuesses   refusal = "guesses"           // too many of these from one address
	ofExpired   refusal = "expired_token"     // one that is over
	ofRole      refusal = "role"              // not in this role
	ofRate      refusal = "too_many_requests" // of one caller
	ofPeer      refusal = "unknown_peer"      // on the socket, and the system does not say who
)

var allRefusals = []refusal{ofHost, ofOtherSite, ofNoToken, ofToken, ofGuesses, ofExpired, ofRole, ofRate, ofPeer}

// refusals counts them. Safe for concurrent use.
type refusals struct{ counter *prometheus.CounterVec }

func newRefusals(reg prometheus.Registerer) (*refusals, error) {
	r := &refusals{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "evergate_admin_refused_total",
		Help: "Requests to the admin API whose sender was turned away, by reason.",
	}, []string{"why"})}
	for _, why := range allRefusals {
		r.counter.WithLabelValues(string(why)) // an alarm on its growth must see the first one
	}
	if reg != nil {
		if err := reg.Register(r.counter); err != nil {
			return nil, fmt.Errorf("register the metric of refused admin requests: %w", err)
		}
	}
	return r, nil
}

func (r *refusals) count(why refusal) {
	if why != "" {
		r.counter.WithLabelValues(string(why)).Inc()
	}
}
