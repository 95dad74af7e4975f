package certs

import (
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/clock"
)

// modern is what a browser of today offers.
func modern(name string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{
		ServerName:        name,
		SupportedVersions: []uint16{tls.VersionTLS13, tls.VersionTLS12},
		CipherSuites:      []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
		SignatureSchemes:  []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256, tls.PSSWithSHA256},
		SupportedCurves:   []tls.CurveID{tls.CurveP256},
		SupportedPoints:   []uint8{0},
	}
}

// onlyRSA is an old visitor.
func onlyRSA(name string) *tls.ClientHelloInfo {
	hello := modern(name)
	hello.SupportedVersions = []uint16{tls.VersionTLS12}
	hello.CipherSuites = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	hello.SignatureSchemes = []tls.SignatureScheme{tls.PSSWithSHA256, tls.PKCS1WithSHA256}
	return hello
}

func TestBook_FindsTheCertificateForAName(t *testing.T) {
	n := newNotary(t)
	exact, pattern, address, first := n.sign("www.one.test"), n.sign("*.one.test"), n.sign("127.0.0.9"), n.sign("first.test")
	b := newBook()
	b.nameless, b.stranger = first, first
	for _, c := range []*tls.Certificate{exact, pattern, address, first} {
		for _, name := range namesOf(c) {
			b.add(name, c)
		}
	}
	b.pending["soon.test"] = true

	tests := []struct {
		name, asked string
		want        *tls.Certificate
	}{
		{"its own", "www.one.test", exact},
		{"in any case", "WWW.one.TEST", exact},
		{"a dot at the end does not matter", "www.one.test.", exact},
		{"the pattern's, one label below", "shop.one.test", pattern},
		{"the pattern is not for two labels below", "a.b.one.test", first},
		{"the pattern is not for the name itself", "one.test", first},
		{"a name that nobody knows gets the first", "other.test", first},
		{"a visitor without a name gets the first", "", first},
		{"a name whose certificate is on its way gets none", "soon.test", nil},
		{"an address", "127.0.0.9", address},
		{"rubbish gets the first", "..", first},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, _ := b.find(modern(tt.asked), clock.Clock{}); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestBook_WithoutDefaultStrangersGetNone(t *testing.T) {
	b := newBook()
	b.add("www.one.test", newNotary(t).sign("www.one.test"))
	if c, _ := b.find(modern("other.test"), clock.Clock{}); c != nil {
		t.Error("another name's certificate")
	}
	if c, _ := b.find(modern(""), clock.Clock{}); c != nil {
		t.Error("a certificate for a visitor without a name")
	}
}

// addressed is a connection that came to an address.
type addressed struct {
	net.Conn
	local string
}

func (c addressed) LocalAddr() net.Addr {
	a, err := net.ResolveTCPAddr("tcp", c.local)
	if err != nil {
		panic(err)
	}
	return a
}

func (addressed) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

func TestBook_AVisitorByAddressGetsTheCertificateOfTheAddress(t *testing.T) {
	n := newNotary(t)
	b := newBook()
	four, six := n.sign("192.0.2.7"), n.sign("2001:db8::7")
	b.add("192.0.2.7", four)
	b.add("[2001:db8::7]", six)
	for local, want := range map[string]*tls.Certificate{"192.0.2.7:443": four, "[2001:db8::7]:443": six, "192.0.2.8:443": nil} {
		hello := modern("")
		hello.Conn = addressed{local: local}
		if got, _ := b.find(hello, clock.Clock{}); got != want {
			t.Errorf("%s: got %v", local, got)
		}
	}
}

func TestBook_OfTwoForOneNameTheUsableOneIsChosen(t *testing.T) {
	n := newNotary(t)
	ec, rsa, ended := n.sign("www.one.test"), n.signRSA("www.one.test"), n.signUntil(time.Now().Add(-time.Hour), "www.one.test")
	tests := []struct {
		name  string
		hello *tls.ClientHelloInfo
		list  []*tls.Certificate
		want  *tls.Certificate
	}{
		{"the first that the visitor understands", modern("www.one.test"), []*tls.Certificate{ec, rsa}, ec},
		{"an old visitor gets the one with RSA", onlyRSA("www.one.test"), []*tls.Certificate{ec, rsa}, rsa},
		{"one that has ended stands back", modern("www.one.test"), []*tls.Certificate{ended, rsa}, rsa},
		{"one that has ended is better than one not understood", onlyRSA("www.one.test"), []*tls.Certificate{ended, ec}, ended},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := choose(tt.list, tt.hello, clock.Clock{}); got != tt.want {
				t.Errorf("got serial %v", got.Leaf.SerialNumber)
			}
		})
	}
}

func TestBook_FindAllocatesNothing(t *testing.T) {
	b := newBook()
	c := newNotary(t).sign("*.one.test")
	b.add("*.one.test", c)
	hello := modern("www.one.test")
	if n := testing.AllocsPerRun(100, func() { b.find(hello, clock.Clock{}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzBook_Find(f *testing.F) {
	n := newNotary(f)
	exact, pattern := n.sign("www.one.test"), n.sign("*.one.test")
	b := newBook()
	b.add("www.one.test", exact)
	b.add("*.one.test", pattern)
	for _, seed := range []string{"www.one.test", "x.one.test", "", ".", "*.one.test", ".one.test", "[::1]", "a.b.one.test", "WWW.ONE.TEST."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		c, _ := b.find(modern(name), clock.Clock{})
		switch {
		case c == exact && normalName(name) != "www.one.test":
			t.Errorf("%q got the certificate of www.one.test", name)
		case c == pattern && !strings.HasSuffix(normalName(name), ".one.test"):
			t.Errorf("%q got the certificate of *.one.test", name)
		case c != nil && !slices.Contains([]*tls.Certificate{exact, pattern}, c):
			t.Errorf("%q got a certificate from nowhere", name)
		}
	})
}

func BenchmarkBook_Find(b *testing.B) {
	book := newBook()
	book.add("*.one.test", newNotary(b).sign("*.one.test"))
	hello := modern("www.one.test")
	for b.Loop() {
		book.find(hello, clock.Clock{})
	}
}
