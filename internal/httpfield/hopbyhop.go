package httpfield

import "net/http"

// IsHopByHop reports whether the field with this canonical name is about one
// connection (RFC 9110 section 7.6.1, and the names that older software uses).
// What Connection names is so too, and is for the caller to read.
func IsHopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// DeleteHopByHop deletes those fields from the header of a request. Of Te it
// leaves "trailers", the one part that is also for the server behind us (RFC
// 9110 section 10.1.4). The value is shared: append to it, do not write into it.
func DeleteHopByHop(h http.Header) {
	delete(h, "Connection")
	delete(h, "Keep-Alive")
	delete(h, "Proxy-Authenticate")
	delete(h, "Proxy-Authorization")
	delete(h, "Proxy-Connection")
	delete(h, "Trailer")
	delete(h, "Transfer-Encoding")
	delete(h, "Upgrade")
	if te, ok := h["Te"]; ok {
		if HasToken(te, "trailers") {
			h["Te"] = trailers
		} else {
			delete(h, "Te")
		}
	}
}

// trailers has no room behind its end, so that an append makes a new slice.
var trailers = []string{"trailers"}[:1:1]
