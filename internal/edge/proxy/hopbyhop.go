package proxy

import (
	"net/http"
	"strings"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

// isHopByHop reports whether the field with this canonical name is about one
// connection (RFC 9110 section 7.6.1, and the names that older software uses).
func isHopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// stripRequest removes from h what must not reach a server: hop-by-hop fields,
// those that Connection names, framing (a transport's own) and what only an
// Evergate may say. TE stays when it is "trailers". It returns the protocol that
// the visitor wants to upgrade to, "" for none.
//
// The gateway has done the same with what came from the visitor, and leaves
// Upgrade with "Connection: upgrade" only where it accepts an upgrade; this is
// the second look (guide, section 7 item 5), which also covers what a route's
// own header changes brought in.
func stripRequest(h http.Header) (upgrade string) {
	if lines := h["Connection"]; len(lines) > 0 {
		if hasToken(lines, "upgrade") {
			if u := h["Upgrade"]; len(u) == 1 {
				upgrade = u[0]
			}
		}
		for _, line := range lines {
			for token := range strings.SplitSeq(line, ",") {
				if token = strings.TrimSpace(token); token != "" {
					h.Del(token)
				}
			}
		}
		delete(h, "Connection")
	}
	if lines := h["Te"]; len(lines) > 0 {
		if hasToken(lines, "trailers") {
			h["Te"] = []string{"trailers"}
		} else {
			delete(h, "Te")
		}
	}
	delete(h, "Upgrade")
	delete(h, "Keep-Alive")
	delete(h, "Proxy-Authenticate")
	delete(h, "Proxy-Authorization")
	delete(h, "Proxy-Connection")
	delete(h, "Trailer")
	delete(h, "Transfer-Encoding")
	delete(h, "Content-Length")
	delete(h, "Expect")
	delete(h, attemptHeader)
	return upgrade
}

// hasToken reports whether one of the comma-separated lines has the token, in
// any letter case. A parameter (";q=0.5") is not part of it.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for t := range strings.SplitSeq(line, ",") {
			t, _, _ = strings.Cut(t, ";")
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// named reports whether a Connection field among fields names the field name.
func named(fields []upstream.Field, name string) bool {
	for i := range fields {
		if fields[i].Name == "Connection" && hasToken([]string{fields[i].Value}, name) {
			return true
		}
	}
	return false
}

// copyFields adds the fields of a response to h, but those that are about the
// server's connection. Names are canonical. The values share one allocation.
func copyFields(h http.Header, fields []upstream.Field, keepLength bool) {
	connection := false
	for i := range fields {
		if fields[i].Name == "Connection" && !strings.EqualFold(fields[i].Value, "keep-alive") && !strings.EqualFold(fields[i].Value, "close") {
			connection = true
			break
		}
	}
	values := make([]string, len(fields))
	for i := range fields {
		f := &fields[i]
		if isHopByHop(f.Name) || (connection && named(fields, f.Name)) || (f.Name == "Content-Length" && !keepLength) {
			continue
		}
		if before := h[f.Name]; len(before) > 0 {
			h[f.Name] = append(before, f.Value)
			continue
		}
		values[i] = f.Value
		h[f.Name] = values[i : i+1 : i+1]
	}
}
