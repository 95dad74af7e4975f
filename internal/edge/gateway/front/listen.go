package front

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"

	"github.com/evergate/evergate/internal/config"
)

// plan is what a configuration changes about the sockets. Everything in it is
// open; nothing in use was touched.
type plan struct {
	order   []*socket // all that shall listen, http first
	secure  []bool    // of each in order
	udp     []*udpSocket
	opened  []*socket // those of order that are new
	removed []*socket
}

// open opens what cfg names and nobody has opened yet. On an error all of it is
// closed again. The caller holds mu.
func (f *Front) open(cfg *config.Config) (*plan, error) {
	p := &plan{}
	keys, addresses := wanted(cfg)
	for key, s := range f.sockets {
		if !slices.Contains(keys, key) {
			p.removed = append(p.removed, s)
		}
	}
	for i, key := range keys {
		s := f.sockets[key]
		if s == nil {
			var err error
			if s, err = newSocket(f, key, addresses[i], slices.Concat(p.removed, f.closing)); err != nil {
				p.discard()
				if i < len(cfg.Listen.HTTP) {
					return nil, fmt.Errorf("listen.http: %w", err)
				}
				return nil, fmt.Errorf("listen.https: %w", err)
			}
			p.opened = append(p.opened, s)
		}
		p.order = append(p.order, s)
		p.secure = append(p.secure, i >= len(cfg.Listen.HTTP))
	}
	if err := p.openUDP(f, cfg.Listen.HTTP3); err != nil {
		p.discard()
		return nil, err
	}
	return p, nil
}

// openUDP opens the UDP side of the secure sockets.
func (p *plan) openUDP(f *Front, on bool) error {
	p.udp = make([]*udpSocket, len(p.order))
	if !on {
		return nil
	}
	for i, s := range p.order {
		if !p.secure[i] {
			continue
		}
		if p.udp[i] = s.udp; p.udp[i] != nil {
			continue
		}
		u, err := newUDPSocket(f, s)
		if err != nil {
			return fmt.Errorf("listen for HTTP/3 on %s: %w", s.listener.Addr(), err)
		}
		p.udp[i] = u
	}
	return nil
}

// discard closes what open has opened.
func (p *plan) discard() {
	for i, u := range p.udp {
		if u != nil && u != p.order[i].udp {
			u.close()
		}
	}
	for _, s := range p.opened {
		s.discard()
	}
}

// wanted returns the addresses of cfg, http first, each with the key of its
// socket. The key is the address as it stands in the file, so that a socket may
// turn from http to https; addresses with port 0 are told apart by their place.
func wanted(cfg *config.Config) (keys, addresses []string) {
	add := func(kind string, list []string) {
		for i, a := range list {
			key := a
			if _, port, err := net.SplitHostPort(a); err == nil && port == "0" {
				key = fmt.Sprintf("%s %s %d", kind, a, i)
			}
			keys, addresses = append(keys, key), append(addresses, a)
		}
	}
	add("http", cfg.Listen.HTTP)
	add("https", cfg.Listen.HTTPS)
	return keys, addresses
}

// listen opens address. If one of the sockets that are about to go, or that were
// removed a moment ago, has the same port (":80" becomes "127.0.0.1:80"), both
// share it until that one is closed.
func listen(address string, removed []*socket) (*net.TCPListener, error) {
	lc := net.ListenConfig{}
	// Go's listeners speak Multipath TCP where the kernel does. Its sockets take no
	// filter, without which a listener cannot close in good manners (see deafen).
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(context.Background(), "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) && share(address, removed) {
		lc.Control = func(_, _ string, raw syscall.RawConn) error { return setReusePort(raw, true) }
		if l, err = lc.Listen(context.Background(), "tcp", address); err == nil {
			unshare(l.(*net.TCPListener))
		}
	}
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// share lets another socket have the port of those of removed that have the port
// of address, and reports whether there is one.
func share(address string, removed []*socket) bool {
	want, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return false
	}
	found := false
	for _, s := range removed {
		if s.port() == want.Port {
			if raw, err := s.listener.SyscallConn(); err == nil && setReusePort(raw, true) == nil {
				found = true
			}
		}
	}
	return found
}

// unshare keeps other programs from sharing a port with us for good. It may fail
// only where sharing cannot work either.
func unshare(l *net.TCPListener) {
	if raw, err := l.SyscallConn(); err == nil {
		_ = setReusePort(raw, false)
	}
}
