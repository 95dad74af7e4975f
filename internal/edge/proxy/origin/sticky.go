package origin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"

	"github.com/evergate/evergate/internal/config"
)

// stickyBytes of the HMAC go into the cookie: enough that two servers never get
// the same, few enough for a header sent with every request.
const stickyBytes = 12

// stickyToken is the cookie value that stands for a server. Without the secret
// nobody can tell or try out the address in it; with the same secret it is the
// same after a restart and on every node.
func stickyToken(secret []byte, origin, server string) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(origin + "\x00" + server))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:stickyBytes])
}

// stickyCookie is the Set-Cookie value, without Secure.
func stickyCookie(cfg *config.Sticky, token string) string {
	c := cfg.Cookie + "=" + token + "; Path=/"
	if age := int(cfg.MaxAge.D().Seconds()); age > 0 {
		c += "; Max-Age=" + strconv.Itoa(age)
	}
	return c + "; HttpOnly; SameSite=Lax"
}
