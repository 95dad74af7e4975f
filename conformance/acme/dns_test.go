package acme

import (
	"net"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// nameServer answers for the names that a test has told it, and denies all
// others, so that no question leaves this machine.
type nameServer struct {
	address string

	mu    sync.Mutex
	hosts map[string]string // name with a dot at the end, to IPv4 address
}

// newNameServer returns a DNS server (over TCP, as pebble asks) until the test ends.
func newNameServer(t testing.TB, hosts map[string]string) *nameServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{address: l.Addr().String(), hosts: map[string]string{}}
	for name, address := range hosts {
		s.point(name, address)
	}
	server := &dns.Server{Listener: l, Handler: s}
	ended := make(chan error, 1)
	go func() { ended <- server.ActivateAndServe() }()
	t.Cleanup(func() {
		l.Close()
		<-ended
	})
	return s
}

// point lets name have address.
func (s *nameServer) point(name, address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts[dns.Fqdn(name)] = address
}

// ServeDNS answers one question.
func (s *nameServer) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := new(dns.Msg).SetReply(r)
	address, known := s.hosts[r.Question[0].Name]
	switch {
	case !known:
		answer.Rcode = dns.RcodeNameError
	case r.Question[0].Qtype == dns.TypeA:
		answer.Answer = append(answer.Answer, &dns.A{
			Hdr: dns.RR_Header{Name: r.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1},
			A:   net.ParseIP(address),
		})
	}
	_ = w.WriteMsg(answer) // who asked has gone
}
