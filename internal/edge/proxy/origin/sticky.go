package origin

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
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

// stickyTokens are the tokens of a server, one for each secret and in their order.
func stickyTokens(secrets [][]byte, origin, server string) []string {
	tokens := make([]string, len(secrets))
	for i, secret := range secrets {
		tokens[i] = stickyToken(secret, origin, server)
	}
	return tokens
}

// resign gives all servers the tokens of these secrets. The caller holds the lock,
// and configures the servers anew.
func (g *group) resign(secrets [][]byte) {
	if len(secrets) == 0 || slices.EqualFunc(secrets, g.secrets, bytes.Equal) {
		return
	}
	g.secrets = secrets
	for _, s := range slices.Concat(g.leaving, g.servers) {
		s.tokens = stickyTokens(secrets, g.name, s.name)
	}
}

// stickyCookie is the Set-Cookie value, without Secure.
func stickyCookie(cfg *config.Sticky, token string) string {
	c := cfg.Cookie + "=" + token + "; Path=/"
	if age := int(cfg.MaxAge.D().Seconds()); age > 0 {
		c += "; Max-Age=" + strconv.Itoa(age)
	}
	return c + "; HttpOnly; SameSite=Lax"
}
