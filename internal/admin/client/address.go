package client

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"
)

// serverURL reads the address of an admin listener and returns it in normal
// form, without a slash at the end. Plain HTTP is for loopback only: elsewhere
// whoever is on the way could read the token and act with it.
func serverURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return "", fmt.Errorf("the server %q is no address; want https://HOST:PORT, the address of listen.admin", text)
	}
	if u.User != nil {
		return "", errors.New("the server's address carries a name or password; a token goes into EVERGATE_TOKEN or a file named by --token-file")
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("the server %s has something behind its host; want https://HOST:PORT alone", text)
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && isLoopback(u.Hostname()):
	case u.Scheme == "http":
		return "", fmt.Errorf("the server %s would get the token readable for everybody on the way; use https:// (admin.tls in its configuration), or a tunnel: ssh -L 8090:localhost:8090 %s", text, u.Hostname())
	default:
		return "", fmt.Errorf("the server %q is no address; want https://HOST:PORT, the address of listen.admin", text)
	}
	return u.Scheme + "://" + u.Host, nil
}

// isLoopback reports whether host can only be this machine.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// authorities reads a file of PEM certificates. "": nil, the system's.
func authorities(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the authority of the server's certificate: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("read the authority of the server's certificate: %s holds no PEM certificate", path)
	}
	return pool, nil
}
