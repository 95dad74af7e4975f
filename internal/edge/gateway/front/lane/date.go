package lane

import (
	"net/http"
	"sync/atomic"
	"time"
)

// dateCache keeps the value of Date (RFC 9110 section 6.6.1) for the current second.
type dateCache struct{ last atomic.Pointer[dateLine] }

// dateLine is one second's value with its line end.
type dateLine struct {
	second int64
	text   string
}

// line is the value of Date at now, with CRLF.
func (c *dateCache) line(now time.Time) string {
	second := now.Unix()
	if l := c.last.Load(); l != nil && l.second == second {
		return l.text
	}
	l := &dateLine{second, now.UTC().Format(http.TimeFormat) + "\r\n"}
	c.last.Store(l)
	return l.text
}
