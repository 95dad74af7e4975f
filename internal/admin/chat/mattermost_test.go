package chat

import (
	"net/http"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/exchange"
)

func TestMattermost_TakesTheTokenOfTheFormWhereOAuthHasTheHeader(t *testing.T) {
	d := newDesk(t)
	for _, header := range []string{"", "Bearer abc", "token " + mattermostToken} {
		r := d.mattermost("mmada", "status")
		r.Header.Set("Authorization", header)
		text, _ := d.says(r)
		want(t, text, "door-1 is serving")
	}
}

func TestMattermost_WantsTLS(t *testing.T) {
	tests := []struct {
		name   string
		scheme string
		tls    bool
		want   int
	}{
		{"a visitor who used TLS, by what the gateway knows", "https", false, 200},
		{"a visitor who did not, behind a proxy that does", "http", true, 403},
		{"no gateway, and TLS", "", true, 200},
		{"no gateway, and no TLS", "", false, 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t)
			r := d.mattermost("mmada", "status")
			if !tt.tls {
				r.TLS = nil
			}
			r.Header.Set("X-Forwarded-Proto", "https") // is the gateway's to believe
			if tt.scheme != "" {
				r = r.WithContext(exchange.NewContext(r.Context(), &exchange.Exchange{Scheme: tt.scheme, ID: "request-1"}))
			}
			if w := d.send(r); w.Code != tt.want {
				t.Errorf("answered %d, want %d", w.Code, tt.want)
			}
			if leaked := strings.Contains(d.log.String(), "make a new one"); leaked != (tt.want == 403) {
				t.Errorf("the log is %s", d.log.String())
			}
		})
	}
	// Whoever has no token learns nothing of it, not even that TLS is missing.
	d := newDesk(t)
	r := mattermostRaw("token=wrong")
	r.TLS = nil
	if w := d.send(r); w.Code != http.StatusUnauthorized {
		t.Errorf("answered %d", w.Code)
	}
}

func TestMarkdown(t *testing.T) {
	tests := []struct{ text, want string }{
		{"origins.booking.max_in_flight is now 100.", "origins.booking.max_in_flight is now 100."},
		{"origins.b.servers[10.0.0.1:80].state", "origins.b.servers[10.0.0.1:80].state"},
		{"*loud* _sly_ `code` ~gone~ #tag a|b \\", "\\*loud\\* \\_sly\\_ \\`code\\` \\~gone\\~ \\#tag a\\|b \\\\"},
		{"@channel (@all), ada@example.org", "@\u200bchannel (@\u200ball), ada@example.org"},
		{"[here](https://example.org)", "[here]\\(https://example.org)"},
		{"ä_ö", "ä_ö"},
	}
	for _, tt := range tests {
		if got := markdown(tt.text); got != tt.want {
			t.Errorf("%q is written as %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestMattermost_Writes(t *testing.T) {
	a := mattermost{}.write(answer{public: true, text: "@all", table: "*a*  b\n```"}).(slashAnswer)
	if want := "@\u200ball\n\n```\n*a*  b\n'''\n```"; a.Text != want || a.ResponseType != "in_channel" || !a.SkipParsing {
		t.Errorf("written as %+v, want %q", a, want)
	}
}
