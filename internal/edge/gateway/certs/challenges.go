package certs

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// challengePath is where an authority looks for http-01 (RFC 8555 section 8.3).
const challengePath = "/.well-known/acme-challenge/"

// challenges holds the answers to what the authority may ask right now. The
// listeners of the front give them; nothing here listens.
type challenges struct {
	mu   sync.RWMutex                // guards the fields below
	http map[string]string           // token to key authorization
	alpn map[string]*tls.Certificate // host name to certificate
}

func newChallenges() *challenges {
	return &challenges{http: map[string]string{}, alpn: map[string]*tls.Certificate{}}
}

// answer returns the key authorization for a token.
func (c *challenges) answer(token string) (string, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	text, ok := c.http[token]
	return text, ok
}

// certificate returns the validation certificate for a name, nil if nobody waits
// for it.
func (c *challenges) certificate(name string) *tls.Certificate {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.alpn[name]
}

// handler answers tokens that are waited for and passes all else to next: a
// server behind us may have an ACME client of its own.
func (c *challenges) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.URL.Path, challengePath)
		if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		text, ok := c.answer(token)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		if r.Method == http.MethodGet {
			// An authority that does not take the answer asks again.
			_, _ = io.WriteString(w, text)
		}
	})
}

// solvers returns a solver for each kind in allowed ("http-01", "tls-alpn-01").
func (c *challenges) solvers(allowed []string) map[string]acmez.Solver {
	all := map[string]acmez.Solver{}
	for _, kind := range allowed {
		switch kind {
		case acme.ChallengeTypeHTTP01:
			all[kind] = httpSolver{c}
		case acme.ChallengeTypeTLSALPN01:
			all[kind] = alpnSolver{c}
		}
	}
	return all
}

// httpSolver solves http-01.
type httpSolver struct{ *challenges }

var _ acmez.Solver = httpSolver{}

// Present lets the answer be given.
func (s httpSolver) Present(_ context.Context, c acme.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.http[c.Token] = c.KeyAuthorization
	return nil
}

// CleanUp ends it.
func (s httpSolver) CleanUp(_ context.Context, c acme.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.http, c.Token)
	return nil
}

// alpnSolver solves tls-alpn-01.
type alpnSolver struct{ *challenges }

var _ acmez.Solver = alpnSolver{}

// Present lets the certificate be shown.
func (s alpnSolver) Present(_ context.Context, c acme.Challenge) error {
	name, err := alpnName(c.Identifier)
	if err != nil {
		return err
	}
	cert, err := acmez.TLSALPN01ChallengeCert(c)
	if err != nil {
		return fmt.Errorf("make the certificate for tls-alpn-01: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alpn[name] = cert
	return nil
}

// CleanUp ends it.
func (s alpnSolver) CleanUp(_ context.Context, c acme.Challenge) error {
	name, err := alpnName(c.Identifier)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.alpn, name)
	return nil
}

// alpnName is what the authority says in the handshake: for an IP address its
// name in the reverse zone (RFC 8738 section 6).
func alpnName(id acme.Identifier) (string, error) {
	if id.Type != "ip" {
		return normalName(id.Value), nil
	}
	a, err := netip.ParseAddr(id.Value)
	if err != nil {
		return "", fmt.Errorf("name of the address: %w", err)
	}
	return reverseName(a), nil
}

// reverseName is the name of a in the reverse zone, without the dot at the end
// (RFC 1035 section 3.5, RFC 3596 section 2.5).
func reverseName(a netip.Addr) string {
	var b strings.Builder
	raw := a.Unmap().AsSlice()
	for i := len(raw) - 1; i >= 0; i-- {
		if len(raw) == 4 {
			fmt.Fprintf(&b, "%d.", raw[i])
		} else {
			fmt.Fprintf(&b, "%x.%x.", raw[i]&15, raw[i]>>4)
		}
	}
	if len(raw) == 4 {
		return b.String() + "in-addr.arpa"
	}
	return b.String() + "ip6.arpa"
}
