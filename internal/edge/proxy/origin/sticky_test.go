package origin

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/config"
)

func TestStickyToken_saysNothingAboutTheServer(t *testing.T) {
	token := stickyToken([]byte("k"), "shop", "10.0.0.1:80")
	tests := []struct {
		name                   string
		secret, origin, server string
		same                   bool
	}{
		{"the same on every node and after a restart", "k", "shop", "10.0.0.1:80", true},
		{"another secret", "l", "shop", "10.0.0.1:80", false},
		{"another origin", "k", "api", "10.0.0.1:80", false},
		{"another server", "k", "shop", "10.0.0.2:80", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := stickyToken([]byte(tt.secret), tt.origin, tt.server); (got == token) != tt.same {
				t.Errorf("same: %t, want %t", got == token, tt.same)
			}
		})
	}
	if len(token) != 16 || strings.ContainsAny(token, ";, =\"") {
		t.Errorf("token %q is not a plain cookie value of 16 letters", token)
	}
}

// TestStickyToken_isThatOfEarlierReleases holds what a release without a keyring gave
// to a visitor: browsers keep cookies over an upgrade.
func TestStickyToken_isThatOfEarlierReleases(t *testing.T) {
	secret, err := base64.RawStdEncoding.DecodeString("a/fOE3Mrp/CYS8IgJRK3Xj/5f2CQIXPRbdQLwirPIfM")
	if err != nil {
		t.Fatal(err)
	}
	if got := stickyToken(secret, "booking", "10.0.0.11:8080"); got != "skX6YB-TXpxSwaxv" {
		t.Errorf("the token is %s", got)
	}
}

func TestStickyCookie(t *testing.T) {
	if got := stickyCookie(&config.Sticky{Cookie: "s"}, "x"); got != "s=x; Path=/; HttpOnly; SameSite=Lax" {
		t.Errorf("a session's cookie: %q", got)
	}
	if got := stickyCookie(&config.Sticky{Cookie: "s", MaxAge: config.Duration(90 * time.Second)}, "x"); got != "s=x; Path=/; Max-Age=90; HttpOnly; SameSite=Lax" {
		t.Errorf("a lasting cookie: %q", got)
	}
}
