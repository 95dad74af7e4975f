package api

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// HostCheck refuses requests for a host that a foreign web page could have: by
// DNS rebinding, a page of evil.example can send requests to 127.0.0.1, but not
// without its own name in Host. An address, localhost and names are let
// through; names is asked for each request and may be nil. It is for TCP only:
// nothing of the kind reaches a unix socket.
func (g *Gate) HostCheck(next http.Handler, names func() []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var known []string
		if names != nil {
			known = names()
		}
		if !ownHost(r.Host, known) {
			g.refuse(w, r, &Problem{
				Status: http.StatusMisdirectedRequest, Kind: kindHost, why: ofHost,
				Detail: "this is Evergate's admin listener; ask for it by its address, as localhost, or by a name in admin.hosts",
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func ownHost(hostport string, names []string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	host = strings.TrimSuffix(host, ".")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	for _, name := range names {
		if name != "" && strings.EqualFold(host, strings.TrimSuffix(name, ".")) {
			return true
		}
	}
	return false
}
