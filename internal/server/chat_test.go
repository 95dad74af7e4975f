package server

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	chatSecret = "8f742231b10e8888abcd99yyyzzz85a5"
	chatToken  = "gr6wjh3x8pbadq7rsi9zhd6oty"

	slackUser      = "U024BE7LH"
	mattermostUser = "ck8bd5wqqpbzfksgfz5sq3o3ir"
)

// chatDoor is a door whose site door.example takes commands at /chat, and whose
// plain HTTP is served or redirected. Its origin answers "the site".
func chatDoor(t *testing.T, plain string) (*door, *authority) {
	t.Helper()
	authority, dir := newAuthority(t), newDir(t)
	authority.issue(t, dir, 1)
	return open(t, dir, fmt.Sprintf(`
node: {data_dir: data}
listen: {http: "127.0.0.1:0", https: "127.0.0.1:0", admin: "127.0.0.1:0"}
tls: {files: [{cert: 1.pem, key: 1.key}]}
log: {access: {file: access.log}}
drain: {accept_grace: 0s, timeout: 10s}
chat:
  site: door.example
  path: /chat
  slack: {signing_secret: %[1]s}
  mattermost: {token: %[2]s}
  users:
    - {slack: %[5]s, actor: ada, role: operator}
    - {mattermost: %[6]s, actor: ada, role: operator}
origins:
  app: {servers: ["%[3]s"]}
sites:
  - {hosts: [door.example], http: %[4]s, routes: [{path: /*, origin: app}]}
  - {hosts: [other.example], http: serve, routes: [{path: /*, origin: app}]}
`, chatSecret, chatToken, backend(t, "the site").URL, plain, slackUser, mattermostUser)), authority
}

// typed is a command as Slack sends it. Each has another trigger, so none is a copy.
func typed(t *testing.T, to, text string) *http.Request {
	t.Helper()
	body := url.Values{"user_id": {slackUser}, "text": {text}, "trigger_id": {strconv.FormatInt(time.Now().UnixNano(), 36)}}.Encode()
	return signed(t, to, body, strings.NewReader(body))
}

// signed is a request of Slack with this body, signed for what is in text.
func signed(t *testing.T, to, text string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, body)
	if err != nil {
		t.Fatal(err)
	}
	// In whole seconds, so a little ahead: what was sent before the start is refused.
	stamp := strconv.FormatInt(time.Now().Add(time.Second).Unix(), 10)
	mac := hmac.New(sha256.New, []byte(chatSecret))
	fmt.Fprintf(mac, "v0:%s:%s", stamp, text)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	return r
}

// answered sends r and returns status and body.
func answered(t *testing.T, client *http.Client, r *http.Request) (int, string) {
	t.Helper()
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// clients speak HTTP/1.1 and HTTP/2 with the door, whatever the host. The certificate
// is not what is tested here.
func clients(t *testing.T, d *door) map[string]*http.Client {
	t.Helper()
	all := map[string]*http.Client{}
	for name, two := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		transport := &http.Transport{
			DialContext: dialTo(d.addr.HTTPS[0]), ForceAttemptHTTP2: two, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		}
		t.Cleanup(transport.CloseIdleConnections)
		all[name] = &http.Client{Transport: transport}
	}
	return all
}

func (d *door) lever(t *testing.T, name string) string {
	t.Helper()
	l, err := d.server.controls.Lever(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(l.Value) + " by " + l.Actor
}

func TestChat_TurnsALeverThroughTheDoor(t *testing.T) {
	d, _ := chatDoor(t, "redirect")
	n := 6
	for proto, client := range clients(t, d) {
		t.Run(proto, func(t *testing.T) {
			n++
			r := typed(t, "https://door.example/chat", fmt.Sprintf("set origins.app.max_in_flight %d because of %s", n, proto))
			copied := r.Clone(t.Context())
			content, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			r.Body, copied.Body = io.NopCloser(bytes.NewReader(content)), io.NopCloser(bytes.NewReader(content))
			if status, body := answered(t, client, r); status != 200 || !strings.Contains(body, "ada has set") {
				t.Fatalf("%d %s", status, body)
			}
			if got := d.lever(t, "origins.app.max_in_flight"); got != fmt.Sprintf("%d by ada (slack)", n) {
				t.Errorf("the lever is %s", got)
			}
			if status, body := answered(t, client, copied); status != 200 || !strings.Contains(body, "this very command before") {
				t.Errorf("a copy: %d %s", status, body)
			}
		})
	}
}

func TestChat_IsNowhereElse(t *testing.T) {
	d, _ := chatDoor(t, "redirect")
	const command = "set origins.app.max_in_flight 9 because x"
	for proto, client := range clients(t, d) {
		t.Run(proto, func(t *testing.T) {
			for name, to := range map[string]string{
				"another path": "https://door.example/", "a path below it": "https://door.example/chat/", "its path in capitals": "https://door.example/CHAT",
				"another site": "https://other.example/chat", "the API on the public side": "https://door.example/api/v1/levers",
			} {
				if status, body := answered(t, client, typed(t, to, command)); strings.Contains(body, "ada") || status == 200 && body != "the site" {
					t.Errorf("%s: %d %s", name, status, body)
				}
			}
			r := typed(t, "https://door.example/chat", command)
			r.Host = "unknown.example"
			if status, body := answered(t, client, r); status == 200 {
				t.Errorf("a host that is no site's: %d %s", status, body)
			}
			look, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://door.example/chat?text=status", nil)
			if err != nil {
				t.Fatal(err)
			}
			if status, _ := answered(t, client, look); status != http.StatusMethodNotAllowed {
				t.Errorf("a GET: %d", status)
			}
		})
	}
	if status, _ := get(t, d.addr.Admin, "/chat", ""); status != 404 {
		t.Errorf("on the admin listener: %d", status)
	}
	if got := d.lever(t, "origins.app.max_in_flight"); got != "0 by " {
		t.Errorf("the lever is %s", got)
	}
}

func TestChat_BoundsBodies(t *testing.T) {
	d, _ := chatDoor(t, "redirect")
	large := url.Values{"user_id": {slackUser}, "text": {strings.Repeat("x", 64<<10)}}.Encode()
	for proto, client := range clients(t, d) {
		for name, body := range map[string]io.Reader{
			"of a length that is told": strings.NewReader(large), "of one that is not": io.MultiReader(strings.NewReader(large)),
		} {
			t.Run(proto+" "+name, func(t *testing.T) {
				if status, body := answered(t, client, signed(t, "https://door.example/chat", large, body)); status != http.StatusRequestEntityTooLarge {
					t.Errorf("%d %s", status, body)
				}
			})
		}
	}
}

func TestChat_EndsAMaintenance(t *testing.T) {
	d, _ := chatDoor(t, "redirect")
	client := clients(t, d)["HTTP/2.0"]
	visit := func() int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://door.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		status, _ := answered(t, client, r)
		return status
	}
	if status, body := answered(t, client, typed(t, "https://door.example/chat", "set sites[door.example].maintenance on because of the move")); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if got := visit(); got != 503 {
		t.Errorf("a visitor gets %d in maintenance", got)
	}
	if status, body := answered(t, client, typed(t, "https://door.example/chat", "set sites[door.example].maintenance off because it is over")); status != 200 || !strings.Contains(body, "ada has set") {
		t.Fatalf("in maintenance: %d %s", status, body)
	}
	if got := visit(); got != 200 {
		t.Errorf("a visitor gets %d after the maintenance", got)
	}
}

func TestChat_WithoutTLS(t *testing.T) {
	mattermost := func(d *door) *http.Request {
		body := url.Values{"token": {chatToken}, "user_id": {mattermostUser}, "text": {"set origins.app.max_in_flight 5 because x"}, "trigger_id": {"t1"}}.Encode()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+d.addr.HTTP[0]+"/chat", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "door.example"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Forwarded-Proto", "https") // which anybody can say
		r.Header.Set("Forwarded", "proto=https")
		return r
	}
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Run("a site that redirects takes no command", func(t *testing.T) {
		d, _ := chatDoor(t, "redirect")
		slack := typed(t, "http://"+d.addr.HTTP[0]+"/chat", "set origins.app.max_in_flight 5 because x")
		slack.Host = "door.example"
		for _, r := range []*http.Request{slack, mattermost(d)} {
			if status, body := answered(t, stay, r); status != http.StatusPermanentRedirect {
				t.Errorf("%d %s", status, body)
			}
		}
		if got := d.lever(t, "origins.app.max_in_flight"); got != "0 by " {
			t.Errorf("the lever is %s", got)
		}
	})
	t.Run("a site that serves it takes none whose secret was in it", func(t *testing.T) {
		d, _ := chatDoor(t, "serve")
		if status, body := answered(t, stay, mattermost(d)); status != http.StatusForbidden {
			t.Errorf("%d %s", status, body)
		}
		if got := d.lever(t, "origins.app.max_in_flight"); got != "0 by " {
			t.Errorf("the lever is %s", got)
		}
		if !strings.Contains(d.log.String(), "make a new one in Mattermost") || strings.Contains(d.log.String(), chatToken) {
			t.Errorf("the log:\n%s", d.log)
		}
	})
}
