package origin

import (
	"math"
	"math/rand/v2"
)

// balancer chooses one of several servers, each with a free slot and its share
// filled in. Called with the group's lock held; there is at least one server.
type balancer interface {
	pick(from []*server, v *visit) *server
}

// newBalancer returns the balancer of a policy as the configuration names it.
func newBalancer(policy string, r *rand.Rand) balancer {
	switch policy {
	case "round_robin":
		return roundRobin{}
	case "hash":
		return hashing{without: leastRequests{r}}
	}
	return leastRequests{r}
}

// leastRequests draws two servers, each with the chance of its weight, and takes
// the one with fewer requests per weight (Mitzenmacher, "The Power of Two Choices
// in Randomized Load Balancing", 2001). When both are idle the first drawn is
// taken, so that a quiet origin spreads its requests by weight too.
type leastRequests struct{ rand *rand.Rand }

func (b leastRequests) pick(from []*server, _ *visit) *server {
	if len(from) == 1 {
		return from[0]
	}
	var total int64
	for _, s := range from {
		total += s.share
	}
	first := draw(from, b.rand.Int64N(total), nil)
	second := draw(from, b.rand.Int64N(total-first.share), first)
	if int64(second.inFlight)*first.share < int64(first.inFlight)*second.share {
		return second
	}
	return first
}

// draw returns the server in whose share at falls, as if without were not there.
func draw(from []*server, at int64, without *server) *server {
	for _, s := range from {
		if s == without {
			continue
		}
		if at < s.share {
			return s
		}
		at -= s.share
	}
	panic("draw: beyond the sum of the shares")
}

// roundRobin goes by turns, smoothly: a server with weight 2 beside two with
// weight 1 gets a-b-a-c, not a-a-b-c (nginx's algorithm, commit 52327e0627f4).
type roundRobin struct{}

func (roundRobin) pick(from []*server, _ *visit) *server {
	var best *server
	var total int64
	for _, s := range from {
		s.turn += s.share
		total += s.share
		if best == nil || s.turn > best.turn {
			best = s
		}
	}
	best.turn -= total
	return best
}

// hashing keeps a key on its server by weighted rendezvous hashing (Thaler and
// Ravishankar, 1998; weights as in draft-ietf-bess-weighted-hrw): when a server
// goes or is full, only its own keys move, each to its own next choice.
type hashing struct{ without balancer } // for requests without the key

func (b hashing) pick(from []*server, v *visit) *server {
	if !v.keyed {
		return b.without.pick(from, v)
	}
	var best *server
	var most float64
	for _, s := range from {
		u := (float64(mix(v.key^s.hash)>>11) + 0.5) / (1 << 53) // in (0, 1)
		if score := float64(s.share) / -math.Log(u); best == nil || score > most {
			best, most = s, score
		}
	}
	return best
}

// hash64 is FNV-1a: the same in every process, so that keys stay where they are
// over restarts and on every node.
func hash64(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix spreads x over all bits (the finalizer of MurmurHash3).
func mix(x uint64) uint64 {
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
