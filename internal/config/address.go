package config

import (
	"net"
	"net/url"
	"strings"
)

// Address says where a server is: the parts of its url.
type Address struct {
	Scheme string // "http", "https" or "unix"
	Host   string // name or IP address, without brackets; "" for unix
	Port   string // "" for unix
	Socket string // path of the socket; "" unless unix
}

// Address returns the parts of the server's url, the zero value if that is not
// one that a loaded Config can have.
func (s *Server) Address() Address {
	a, problem := parseAddress(s.URL)
	if problem != "" {
		return Address{}
	}
	return a
}

// String is the url in normal form: with port, a lower-case name and no path.
func (a Address) String() string {
	if a.Scheme == "unix" {
		return "unix:" + a.Socket
	}
	return a.Scheme + "://" + net.JoinHostPort(a.Host, a.Port)
}

// longestSocket is what fits into a sockaddr_un, which ends with a zero.
const longestSocket = 107

// parseAddress reads the url of a server; problem says what is wrong with it, ""
// if nothing is.
func parseAddress(s string) (a Address, problem string) {
	if socket, ok := strings.CutPrefix(s, "unix:"); ok {
		if rest, ok := strings.CutPrefix(socket, "//"); ok {
			if socket = rest; !strings.HasPrefix(socket, "/") {
				return Address{}, "is not the path of a socket; write unix:/path/socket"
			}
		}
		if socket == "" || strings.HasSuffix(socket, "/") {
			return Address{}, "is not the path of a socket; write unix:/path/socket"
		}
		return Address{Scheme: "unix", Socket: socket}, ""
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return Address{}, "is not a server; write http://host:port, https://host:port or unix:/path/socket"
	}
	if u.User != nil {
		return Address{}, "has a user name; put credentials into headers.request.set of the route (Authorization)"
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || (u.Path != "" && u.Path != "/") {
		return Address{}, "must be scheme, host and port only; paths are changed by the route (rewrite)"
	}
	host, ok := hostName(u.Hostname())
	if !ok {
		return Address{}, "has no valid host name or address"
	}
	a = Address{Scheme: u.Scheme, Host: strings.Trim(host, "[]"), Port: u.Port()}
	switch {
	case strings.HasSuffix(u.Host, ":") || a.Port != "" && !validPort(a.Port):
		return Address{}, "has no valid port, 1 to 65535"
	case a.Port == "" && a.Scheme == "https":
		a.Port = "443"
	case a.Port == "":
		a.Port = "80"
	}
	return a, ""
}
