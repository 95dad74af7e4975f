package chat

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The example of api.slack.com/authentication/verifying-requests-from-slack.
func TestSlack_ProvesTheExampleOfItsDocumentation(t *testing.T) {
	const body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar" +
		"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=" +
		"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN" +
		"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("X-Slack-Request-Timestamp", "1531420618")
	r.Header.Set("X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503")
	sent := time.Unix(1531420618, 0)
	s := slack{[]byte("8f742231b10e8888abcd99yyyzzz85a5")}

	m, err := s.read(r, []byte(body), sent.Add(signedWindow))
	if err != nil || m.users[0] != "U2CERLKJA" || m.text != "" || !m.sent.Equal(sent) {
		t.Errorf("read is %+v, %v", m, err)
	}
	if _, err := s.read(r, []byte(body), sent.Add(signedWindow+1)); !errors.Is(err, errStale) {
		t.Errorf("a moment after the window: %v", err)
	}
	if _, err := s.read(r, []byte(body+"&"), sent); !errors.Is(err, errUnproved) {
		t.Errorf("with one byte more: %v", err)
	}
}

func TestSlack_SignedTimesThatAreNone(t *testing.T) {
	d := newDesk(t)
	for _, stamp := range []string{"", "x", "99999999999999999999", "1e9", "1623135660.5", "0x60bf1a2c", "1623135660\x00"} {
		r := d.slackRaw(d.now, "user_id=UADA&text=status")
		r.Header.Set("X-Slack-Request-Timestamp", stamp)
		r.Header.Set("X-Slack-Signature", signSlack(stamp, "user_id=UADA&text=status"))
		if w := d.send(r); w.Code != 400 {
			t.Errorf("time %q answered %d", stamp, w.Code)
		}
	}
}

func TestSlackText(t *testing.T) {
	tests := []struct{ sent, want string }{
		{"a &amp;&amp; b &lt; c &gt; d", "a && b < c > d"},
		{"&amp;lt;", "&lt;"},
		{"drain booking <http://10.0.0.11:8080|10.0.0.11:8080> because", "drain booking 10.0.0.11:8080 because"},
		{"see <https://example.org/?a=1&amp;b=2>", "see https://example.org/?a=1&b=2"},
		{"because <@U024BE7LH|ada> said so in <#C01|ops>", "because @ada said so in #ops"},
		{"an open < stays", "an open < stays"},
	}
	for _, tt := range tests {
		if got := slackText.Replace(slackLinks(tt.sent)); got != tt.want {
			t.Errorf("%q is read as %q, want %q", tt.sent, got, tt.want)
		}
	}
}

func TestSlack_Writes(t *testing.T) {
	a := slack{}.write(answer{public: true, text: "5 < 6 & <!channel>", table: "a  b\n``` <c>"}).(slashAnswer)
	if want := "5 &lt; 6 &amp; &lt;!channel&gt;\n```\na  b\n''' &lt;c&gt;\n```"; a.Text != want || a.ResponseType != "in_channel" {
		t.Errorf("written as %s %q, want %q", a.ResponseType, a.Text, want)
	}
	if a := (slack{}).write(answer{text: "x"}).(slashAnswer); a.ResponseType != "ephemeral" || strings.Contains(a.Text, "```") {
		t.Errorf("written as %+v", a)
	}
}
