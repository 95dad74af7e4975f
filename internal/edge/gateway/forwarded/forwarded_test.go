package forwarded

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/config"
)

var trust = NewTrust([]config.Prefix{{Prefix: netip.MustParsePrefix("10.0.0.0/8")}, {Prefix: netip.MustParsePrefix("2001:db8::/32")}})

func TestRead_TheWalkFromTheRight(t *testing.T) {
	tests := []struct {
		name   string
		lines  []string
		client string
		chain  string
	}{
		{"nothing said", nil, "10.0.0.1", "10.0.0.1"},
		{"one visitor", []string{"192.0.2.7"}, "192.0.2.7", "192.0.2.7, 10.0.0.1"},
		{"what stands before the first stranger is the stranger's word", []string{"6.6.6.6, 192.0.2.7, 10.0.0.3"}, "192.0.2.7", "192.0.2.7, 10.0.0.3, 10.0.0.1"},
		{"over lines", []string{"6.6.6.6, 192.0.2.7", "10.0.0.3"}, "192.0.2.7", "192.0.2.7, 10.0.0.3, 10.0.0.1"},
		{"all are trusted: the farthest", []string{"10.0.0.9,10.0.0.3"}, "10.0.0.9", "10.0.0.9, 10.0.0.3, 10.0.0.1"},
		{"ports", []string{"192.0.2.7:4711"}, "192.0.2.7", "192.0.2.7, 10.0.0.1"},
		{"IPv6 in every form", []string{"2001:abc::7, [2001:db8::2]:443, [2001:db8::3], 2001:db8::4"}, "2001:abc::7", "2001:abc::7, 2001:db8::2, 2001:db8::3, 2001:db8::4, 10.0.0.1"},
		{"IPv4 in IPv6 form", []string{"::ffff:192.0.2.7"}, "192.0.2.7", "192.0.2.7, 10.0.0.1"},
		{"junk ends the walk", []string{"192.0.2.7, junk, 10.0.0.3"}, "10.0.0.3", "10.0.0.3, 10.0.0.1"},
		{"so does a name", []string{"192.0.2.7, unknown"}, "10.0.0.1", "10.0.0.1"},
		{"and a zone", []string{"fe80::1%eth0"}, "10.0.0.1", "10.0.0.1"},
		{"and a port that is none", []string{"192.0.2.7:x"}, "10.0.0.1", "10.0.0.1"},
		{"empty items are nothing", []string{",192.0.2.7, ,", ""}, "192.0.2.7", "192.0.2.7, 10.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			if tt.lines != nil {
				h["X-Forwarded-For"] = tt.lines
			}
			v := trust.Read(h, netip.MustParseAddr("10.0.0.1"))
			if v.Addr.String() != tt.client || v.Chain != tt.chain {
				t.Errorf("%v by %q, want %s by %q", v.Addr, v.Chain, tt.client, tt.chain)
			}
		})
	}
}

func TestRead_ProtoAndHost(t *testing.T) {
	tests := []struct {
		name        string
		header      http.Header
		client      string
		proto, host string
	}{
		{"the nearest proxy's word", http.Header{"X-Forwarded-Proto": {"http, HTTPS"}, "X-Forwarded-Host": {"a.test, b.test"}}, "10.0.0.1", "https", "b.test"},
		{"a websocket's scheme", http.Header{"X-Forwarded-Proto": {"wss"}}, "10.0.0.1", "https", ""},
		{"another scheme is none", http.Header{"X-Forwarded-Proto": {"gopher"}}, "10.0.0.1", "", ""},
		{"Forwarded", http.Header{"Forwarded": {`for=6.6.6.6, for="[2001:abc::7]:1" ; proto=https;host="c.test:8443"`, "for=10.0.0.2;host=d.test;proto=http"}}, "2001:abc::7", "http", "d.test"},
		{"X-Forwarded-For goes before it", http.Header{"Forwarded": {"for=6.6.6.6;proto=https"}, "X-Forwarded-For": {"192.0.2.7"}}, "192.0.2.7", "https", ""},
		{"a broken Forwarded is nothing", http.Header{"Forwarded": {"for=6.6.6.6;proto"}}, "10.0.0.1", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := trust.Read(tt.header, netip.MustParseAddr("10.0.0.1"))
			if v.Addr.String() != tt.client || v.Proto != tt.proto || v.Host != tt.host {
				t.Errorf("%+v", v)
			}
		})
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  []element
	}{
		{"an example of RFC 7239", []string{`for="_mdn"`, `For="[2001:db8:cafe::17]:4711"`, `for=192.0.2.60;proto=http;by=203.0.113.43`},
			[]element{{For: "_mdn"}, {For: "[2001:db8:cafe::17]:4711"}, {For: "192.0.2.60", Proto: "http", By: "203.0.113.43"}}},
		{"several in a line", []string{"for=192.0.2.43, for=198.51.100.17"}, []element{{For: "192.0.2.43"}, {For: "198.51.100.17"}}},
		{"quoted pairs", []string{`for="a\"b\\c"`}, []element{{For: `a"b\c`}}},
		{"a comma in quotes", []string{`for="a,b";host=x`}, []element{{For: "a,b", Host: "x"}}},
		{"unknown parameters", []string{"secret=x;for=1"}, []element{{For: "1"}}},
		{"empty elements", []string{", ,for=1;,;"}, []element{{For: "1"}}},
		{"a break ends belief in what stands before it", []string{"for=1", "for=2;for=3", "for=4"}, []element{{For: "4"}}},
		{"no end of the quotes", []string{`for="1`}, nil},
		{"text behind a value", []string{"for=1 x"}, nil},
		{"no value", []string{"for="}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := parse(tt.lines); !slices.Equal(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`for="[2001:db8::1]:80";proto=https, for=1`)
	f.Add(`for="a\`)
	f.Fuzz(func(t *testing.T, line string) {
		elements := parse([]string{line, line})
		if len(elements) > mostElements {
			t.Errorf("%d elements", len(elements))
		}
		for _, e := range elements {
			parseNode(e.For)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add("1.2.3.4, [::1]:80,junk")
	f.Fuzz(func(t *testing.T, line string) {
		v := trust.Read(http.Header{"X-Forwarded-For": {line}, "Forwarded": {line}, "X-Forwarded-Proto": {line}}, netip.MustParseAddr("10.0.0.1"))
		if !v.Addr.IsValid() || !strings.HasPrefix(v.Chain, v.Addr.String()) || !strings.HasSuffix(v.Chain, "10.0.0.1") {
			t.Errorf("%q: %+v", line, v)
		}
		if v.Proto != "" && v.Proto != "http" && v.Proto != "https" {
			t.Errorf("proto %q", v.Proto)
		}
	})
}
