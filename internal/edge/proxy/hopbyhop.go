package proxy

import (
	"net/http"
	"strings"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/httpfield"
)

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
		if httpfield.HasToken(lines, "upgrade") {
			if u := h["Upgrade"]; len(u) == 1 {
				upgrade = u[0]
			}
		}
		for _, line := range lines {
			for line != "" {
				var token string
				token, line = httpfield.NextToken(line)
				h.Del(token)
			}
		}
	}
	httpfield.DeleteHopByHop(h)
	delete(h, "Content-Length")
	delete(h, "Expect")
	delete(h, attemptHeader)
	return upgrade
}

// named reports whether a Connection field among fields names the field name.
func named(fields []upstream.Field, name string) bool {
	for i := range fields {
		if fields[i].Name == "Connection" && httpfield.LineHasToken(fields[i].Value, name) {
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
		if httpfield.IsHopByHop(f.Name) || (connection && named(fields, f.Name)) || (f.Name == "Content-Length" && !keepLength) {
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
