package front

import (
	"bytes"
	"log/slog"
)

// net/http answers what it cannot read as HTTP/1.1 itself, before any handler
// hears of it: no exchange begins, and the access log has no line. The front
// knows such an answer by the header that only those have (server.go, conn.serve),
// so that a cookie grown too large is at least a number that somebody can see.
var refusalHeader = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// longestRefusal bounds what is looked at: they are all short.
const longestRefusal = 512

// refusalIn is why net/http refuses a request with the bytes b, "" if b is
// anything else.
func refusalIn(b []byte) string {
	const line = "HTTP/1.1 400 "
	if len(b) > longestRefusal || len(b) < len(line) || string(b[:9]) != line[:9] || b[9] != '4' && b[9] != '5' ||
		!bytes.Contains(b, refusalHeader) {
		return ""
	}
	switch string(b[9:12]) {
	case "431":
		return "header_bytes"
	case "501":
		return "transfer_coding"
	case "505":
		return "version"
	}
	return "malformed"
}

// noteRefusal counts what net/http refuses with b, if that is what b is.
func (c *conn) noteRefusal(b []byte) {
	why := refusalIn(b)
	if why == "" {
		return
	}
	c.front.metrics.requestsRefused.WithLabelValues(why).Inc()
	c.front.log.Debug("request refused before it could be read", "peer", c.address.String(), "reason", why,
		slog.String("answer", string(b[9:bytes.IndexByte(b, '\r')])))
}
