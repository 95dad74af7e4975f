package gateway

import (
	"net"
	"slices"
)

// learnPorts finds out how visitors write the port of https. The listeners say
// it, but for ports that are mapped: where the ACME authority comes in by another
// port than 443, or where nobody listens on 80 and a visitor came by 80.
func (rt *Runtime) learnPorts() {
	l := rt.cfg.Listen
	rt.servesHTTPS = len(l.HTTPS) > 0
	rt.servesPort80 = slices.ContainsFunc(l.HTTP, func(a string) bool { return portOf(a) == "80" })
	for i, a := range l.HTTPS {
		switch port := portOf(a); {
		case port == "443", port == "", port == "0":
			rt.publicHTTPS = ""
			return
		case i == 0:
			rt.publicHTTPS = ":" + port
		}
	}
	if acme := rt.cfg.TLS.ACME; acme != nil && acme.TLSPort != 0 {
		rt.publicHTTPS = ""
	}
}

func portOf(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return port
}

// httpsPort is the port for a redirect to https, with ":", of a visitor who wrote
// port for http.
func (rt *Runtime) httpsPort(port string) string {
	if (port == "" || port == "80") && !rt.servesPort80 {
		return "" // 80 is mapped to our port, so 443 is too
	}
	return rt.publicHTTPS
}
