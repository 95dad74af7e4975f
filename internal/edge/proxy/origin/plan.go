package origin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

// plan is a configuration made ready: everything that can be wrong has been
// found, and the transports of servers with known addresses are built. It is
// immutable but for its levers, those of its targets, and built.
type plan struct {
	cfg     *config.Origin
	targets []*target
	levers  levers
	rules   rules
	keyFrom string                        // what balance: hash looks at: "client", "header", "cookie"; "" for other policies
	keyName string                        // of the header or cookie
	secrets [][]byte                      // of sticky cookies, the newest first; nil: those that the group has
	built   map[string]upstream.Transport // by identity; the group takes out what it uses
}

func newPlan(cfg *config.Origin, o Options) (_ *plan, err error) {
	p := &plan{cfg: cfg, rules: newRules(cfg), secrets: o.Secrets, built: make(map[string]upstream.Transport)}
	p.levers = levers{paused: cfg.Paused, maxInFlight: cfg.MaxInFlight.Origin}
	defer func() {
		if err != nil {
			for _, f := range p.leftovers() {
				f()
			}
		}
	}()
	if cfg.Balance.Policy == "hash" {
		p.keyFrom, p.keyName, _ = strings.Cut(cfg.Balance.Key, ":")
		switch {
		case p.keyFrom == "client" && p.keyName == "":
		case (p.keyFrom == "header" || p.keyFrom == "cookie") && p.keyName != "":
		default:
			return nil, fmt.Errorf("balance key %q: want client, header:NAME or cookie:NAME", cfg.Balance.Key)
		}
	}
	for _, s := range cfg.Servers {
		t, err := newTarget(s, cfg)
		if err != nil {
			return nil, err
		}
		p.targets = append(p.targets, t)
		for _, at := range t.places(nil) {
			tr, err := o.NewTransport(t.spec(at.address))
			if err != nil {
				return nil, fmt.Errorf("server %q: %w", s.URL, err)
			}
			id := t.identity(at)
			if twin := p.built[id]; twin != nil {
				tr.Close() // the same server twice: its twin gets one built when it starts
				continue
			}
			p.built[id] = tr
		}
	}
	return p, nil
}

func newRules(cfg *config.Origin) rules {
	h := cfg.Health
	r := rules{
		failures:  max(h.ConsecutiveFailures, 1),
		ejectBase: h.Eject.Base.D(), ejectMax: h.Eject.Max.D(), slowStart: h.SlowStart.D(),
	}
	if a := h.Active; a != nil {
		r.active, r.rise, r.fall = true, max(a.Rise, 1), max(a.Fall, 1)
	}
	return r
}

// take returns the transport built for identity, if there is one left.
func (p *plan) take(identity string) upstream.Transport {
	t := p.built[identity]
	delete(p.built, identity)
	return t
}

// leftovers gives up the transports that nobody took, as the calls that close them.
func (p *plan) leftovers() []func() {
	var closes []func()
	for id := range p.built {
		closes = append(closes, p.take(id).Close)
	}
	return closes
}

// fails reports whether an answer with status counts as a failure.
func (p *plan) fails(status int) bool { return slices.Contains(p.cfg.Health.FailStatuses, status) }

// hosts are the names to resolve, each once.
func (p *plan) hosts() []string {
	var hosts []string
	for _, t := range p.targets {
		if t.address == "" && !slices.Contains(hosts, t.host) {
			hosts = append(hosts, t.host)
		}
	}
	return hosts
}
