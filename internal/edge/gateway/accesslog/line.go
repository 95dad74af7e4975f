package accesslog

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/evergate/evergate/internal/exchange"
)

// longestText bounds what visitors can put into one field, so that a line is
// never much longer than what it tells.
const longestText = 2048

// redaction is the set of query parameters whose values are not logged.
type redaction struct {
	all   bool
	names []string // lower case
}

func newRedaction(names []string) redaction {
	var r redaction
	for _, n := range names {
		if n == "*" {
			r.all = true
		}
		r.names = append(r.names, strings.ToLower(n))
	}
	return r
}

// appendLine appends x as one line of JSON (RFC 8259) with its line end.
func appendLine(b []byte, x *exchange.Exchange, hide redaction, times *stamps) []byte {
	b = append(b, `{"time":"`...)
	b = times.append(b, x.Start)
	b = append(b, '"')
	b = appendText(b, "id", x.ID)
	b = appendAddr(b, "client", x.Client)
	if x.Peer != x.Client {
		b = appendAddr(b, "peer", x.Peer)
	}
	b = appendText(b, "method", x.Method)
	b = appendText(b, "scheme", x.Scheme)
	b = appendText(b, "host", x.Host)
	b = appendText(b, "path", x.Path)
	if x.Query != "" {
		b = appendKey(b, "query")
		b = appendQuery(b, x.Query, hide)
		b = append(b, '"')
	}
	b = appendText(b, "proto", x.Proto)
	if x.TLS.Version != 0 {
		b = appendText(b, "tls", tlsName(x.TLS.Version))
		b = appendText(b, "sni", x.TLS.SNI)
		b = appendText(b, "client_cert", x.TLS.Subject)
	}
	b = appendText(b, "site", x.Site)
	b = appendText(b, "route", x.Route)
	b = appendText(b, "origin", x.Origin)
	b = appendInt(b, "status", int64(x.Status))
	b = appendInt(b, "bytes_in", x.BytesIn)
	b = appendInt(b, "bytes_out", x.BytesOut)
	b = appendMillis(b, "ms", x.Duration)
	if x.QueuePosition > 0 || x.QueueWait > 0 {
		b = appendMillis(b, "queue_ms", x.QueueWait)
		b = appendInt(b, "queue_position", int64(x.QueuePosition))
	}
	if len(x.Attempts) > 0 {
		b = append(b, `,"attempts":[`...)
		for i := range x.Attempts {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendAttempt(b, &x.Attempts[i])
		}
		b = append(b, ']')
	}
	b = appendText(b, "retry_denied", x.RetryDenied)
	b = appendText(b, "would_retry", x.WouldRetry)
	b = appendText(b, "denial", x.Denial)
	b = appendText(b, "abort", x.Abort)
	if x.Upgraded {
		b = append(b, `,"upgraded":true`...)
	}
	b = appendText(b, "user_agent", x.UserAgent)
	if x.Referer != "" {
		page, query, found := strings.Cut(x.Referer, "?")
		b = appendKey(b, "referer")
		b = appendQuoted(b, page)
		if found {
			b = append(b, '?')
			b = appendQuery(b, query, hide)
		}
		b = append(b, '"')
	}
	return append(b, '}', '\n')
}

func appendAttempt(b []byte, a *exchange.Attempt) []byte {
	b = append(b, `{"server":"`...)
	b = appendQuoted(b, a.Server)
	b = append(b, '"')
	b = appendMillis(b, "after_ms", a.After)
	b = appendMillis(b, "ms", a.Duration)
	b = appendInt(b, "class", int64(a.Class))
	b = appendText(b, "outcome", a.Outcome.String())
	if a.Status != 0 {
		b = appendInt(b, "status", int64(a.Status))
	}
	if a.Retried {
		b = append(b, `,"retried":true`...)
	}
	b = appendText(b, "error", a.Error)
	return append(b, '}')
}

// appendKey appends the key and the quote that begins a text.
func appendKey(b []byte, key string) []byte {
	b = append(b, ',', '"')
	b = append(b, key...)
	return append(b, `":"`...)
}

// appendText appends nothing for "".
func appendText(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	b = appendKey(b, key)
	b = appendQuoted(b, value)
	return append(b, '"')
}

func appendInt(b []byte, key string, n int64) []byte {
	b = append(b, ',', '"')
	b = append(b, key...)
	b = append(b, '"', ':')
	return strconv.AppendInt(b, n, 10)
}

// appendMillis appends milliseconds with three digits after the point.
func appendMillis(b []byte, key string, d time.Duration) []byte {
	us := max(d.Microseconds(), 0)
	b = appendInt(b, key, us/1000)
	us %= 1000
	return append(b, '.', byte('0'+us/100), byte('0'+us/10%10), byte('0'+us%10))
}

func appendAddr(b []byte, key string, a netip.Addr) []byte {
	if !a.IsValid() {
		return b
	}
	b = appendKey(b, key)
	if zone := a.Zone(); zone != "" { // the one part that is free text
		b = a.WithZone("").AppendTo(b)
		b = append(b, '%')
		b = appendQuoted(b, zone)
	} else {
		b = a.AppendTo(b)
	}
	return append(b, '"')
}

// appendQuery appends a query with the values of redacted parameters replaced.
// Names are compared as sent, without regard to case: who encodes the name of a
// secret to get it into the log does it to themselves.
func appendQuery(b []byte, query string, hide redaction) []byte {
	start := len(b)
	for len(b)-start < longestText {
		pair, rest, more := strings.Cut(query, "&")
		name, _, hasValue := strings.Cut(pair, "=")
		if hasValue && hide.hides(name) {
			b = appendQuoted(b, name)
			b = append(b, "=***"...)
		} else {
			b = appendQuoted(b, pair)
		}
		if !more {
			break
		}
		b = append(b, '&')
		query = rest
	}
	return b
}

func (r redaction) hides(name string) bool {
	return r.all || slices.ContainsFunc(r.names, func(n string) bool { return strings.EqualFold(n, name) })
}

// appendQuoted appends the inside of a JSON string. Bytes that are not UTF-8
// become U+FFFD, text beyond longestText "…".
func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	cut := len(s) > longestText
	if cut {
		s = s[:longestText]
	}
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c != 0x7f && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		b = append(b, s[start:i]...)
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= utf8.RuneSelf:
			b = append(b, `\ufffd`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	b = append(b, s[start:]...)
	if cut {
		b = append(b, `…`...)
	}
	return b
}

// tlsName is tls.VersionName in the short form of logs.
func tlsName(v uint16) string {
	switch v {
	case tls.VersionTLS13:
		return "1.3"
	case tls.VersionTLS12:
		return "1.2"
	}
	return tls.VersionName(v)
}
