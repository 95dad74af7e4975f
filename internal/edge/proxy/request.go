package proxy

import (
	"crypto/rand"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/httpfield"
)

const (
	attemptHeader = "Evergate-Attempt"
	keyHeader     = "Idempotency-Key"
	protocolField = ":protocol" // where net/http puts the protocol of an extended CONNECT (RFC 8441)
)

// prepare makes c.req of the visitor's request. It changes r.Header.
func (c *call) prepare() {
	r, q := c.r, &c.req
	q.Method, q.Header = r.Method, r.Header
	c.host = r.Host
	q.Target = target(r)
	q.Expect = httpfield.HasToken(r.Header["Expect"], "100-continue")
	if r.Method == http.MethodConnect {
		c.extended = true
		q.Method = http.MethodGet
		q.Upgrade = r.Header.Get(protocolField)
		delete(r.Header, protocolField)
		stripRequest(r.Header)
		if strings.EqualFold(q.Upgrade, "websocket") {
			// HTTP/2 has no key, HTTP/1.1 wants one (RFC 8441 section 5).
			r.Header["Sec-Websocket-Key"] = []string{websocketKey()}
		}
	} else {
		q.Upgrade = stripRequest(r.Header)
	}
	c.hasBody = r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0 && !c.extended
	if c.hasBody {
		q.Upgrade = "" // RFC 9110 section 7.8 lets a server ignore it, and so do we
		q.ContentLength = r.ContentLength
		if len(r.Trailer) > 0 {
			c.announced = maps.Clone(r.Trailer) // only names: nothing has been read yet
			q.Trailer = c.announced
		}
	} else {
		q.Expect = false
	}

	key := len(r.Header[keyHeader]) > 0 && r.Header[keyHeader][0] != ""
	c.repeatability = c.h.policy.repeatabilityOf(q.Method, key)
	c.extra[0].Name = attemptHeader
	q.Extra = c.extra[:1]
	if !key && c.h.policy.generateKey {
		c.extra[1] = upstream.Field{Name: keyHeader, Value: rand.Text()}
		q.Extra = c.extra[:2]
	}
	// 3.1(11): a request that cannot be repeated must not meet an idle-close race.
	c.fresh = q.Upgrade != "" || c.repeatability == plain || q.ContentLength > c.h.policy.replay.Total
	q.Interim = c.interimFunc
}

// target is what goes into the request line, byte for byte what the gateway made
// of it.
func target(r *http.Request) string {
	u := r.URL
	path := u.RawPath
	if path == "" {
		path = u.EscapedPath()
	}
	if path == "" {
		path = "/"
	}
	if u.RawQuery != "" || u.ForceQuery {
		return path + "?" + u.RawQuery
	}
	return path
}

// attemptNumbers saves an allocation per request.
var attemptNumbers = [...]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}

func attemptNumber(n int) string {
	if n < len(attemptNumbers) {
		return attemptNumbers[n]
	}
	return strconv.Itoa(n)
}
