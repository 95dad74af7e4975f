package certs

import (
	"crypto/tls"
	"net"
	"strings"

	"github.com/evergate/evergate/internal/clock"
)

// book says which certificate a visitor gets. It never changes: whatever changes
// about certificates makes a new one and swaps the pointer, so that a handshake
// costs one or two lookups in a map and no lock.
type book struct {
	exact    map[string][]*tls.Certificate      // by host name or IP address, in normal form
	below    map[string][]*tls.Certificate      // "*.example.org", by ".example.org"
	pending  map[string]bool                    // names of the configuration that have no certificate yet
	nameless *tls.Certificate                   // for visitors that name nobody; nil: none
	stranger *tls.Certificate                   // for names that fit nothing; nil: none
	issue    func(name string) *tls.Certificate // for names that fit nothing, before stranger; nil: none
}

func newBook() *book {
	return &book{
		exact:   map[string][]*tls.Certificate{},
		below:   map[string][]*tls.Certificate{},
		pending: map[string]bool{},
	}
}

// add lists c for name, which may be a pattern, after those already there.
func (b *book) add(name string, c *tls.Certificate) {
	name = normalName(name)
	if parent, ok := strings.CutPrefix(name, "*"); ok {
		b.below[parent] = append(b.below[parent], c)
		return
	}
	b.exact[name] = append(b.exact[name], c)
}

// covers reports whether a certificate is listed that is good for name. A
// pattern of a site is covered by the same pattern only.
func (b *book) covers(name string) bool {
	if parent, ok := strings.CutPrefix(name, "*"); ok {
		return len(b.below[parent]) > 0
	}
	return len(b.exact[name]) > 0 || len(b.below[parentOf(name)]) > 0
}

// find returns the certificate for hello, nil if there is none. name is what the
// visitor asked for, "" if it did not say.
func (b *book) find(hello *tls.ClientHelloInfo, now clock.Clock) (c *tls.Certificate, name string) {
	name = normalName(hello.ServerName)
	if name == "" {
		return b.unnamed(hello, now), ""
	}
	if list := b.exact[name]; len(list) > 0 {
		return choose(list, hello, now), name
	}
	if list := b.below[parentOf(name)]; len(list) > 0 {
		return choose(list, hello, now), name
	}
	if b.pending[name] {
		// A certificate for another name would only move the failure from the
		// log of this machine to the screen of the visitor.
		return nil, name
	}
	if b.issue != nil {
		if c := b.issue(name); c != nil {
			return c, name
		}
	}
	return b.stranger, name
}

// unnamed is find for a visitor that came by address, or is very old.
func (b *book) unnamed(hello *tls.ClientHelloInfo, now clock.Clock) *tls.Certificate {
	if hello.Conn == nil {
		return b.nameless
	}
	ip, _, err := net.SplitHostPort(hello.Conn.LocalAddr().String())
	if err != nil {
		return b.nameless
	}
	if list := b.exact[ip]; len(list) > 0 {
		return choose(list, hello, now)
	}
	if b.issue != nil && net.ParseIP(ip) != nil {
		if c := b.issue(ip); c != nil {
			return c
		}
	}
	return b.nameless
}

// choose returns the first of list that hello can use and that is valid now,
// else the first it can use, else the first. list is not empty.
func choose(list []*tls.Certificate, hello *tls.ClientHelloInfo, now clock.Clock) *tls.Certificate {
	if len(list) == 1 {
		return list[0]
	}
	var usable *tls.Certificate
	at := now.Now()
	for _, c := range list {
		if hello.SupportsCertificate(c) != nil {
			continue
		}
		if at.After(c.Leaf.NotBefore) && at.Before(c.Leaf.NotAfter) {
			return c
		}
		if usable == nil {
			usable = c
		}
	}
	if usable != nil {
		return usable
	}
	return list[0]
}

// normalName is the form in which names are compared: lower case, no dot at the
// end, IPv6 addresses without brackets. It allocates only if it must.
func normalName(s string) string {
	s = strings.TrimSuffix(s, ".")
	if strings.HasPrefix(s, "[") {
		s = strings.Trim(s, "[]")
	}
	return strings.ToLower(s)
}

// parentOf returns ".example.org" for "www.example.org", "" for a single label.
func parentOf(name string) string {
	i := strings.IndexByte(name, '.')
	if i < 0 {
		return ""
	}
	return name[i:]
}
