package storeloss

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/user"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
)

// way is a way for operators to turn a lever.
type way struct {
	name string
	host string // the site whose lever is turned this way
	// turn returns nil when the change was acknowledged.
	turn func(e *evergate, lever, value, reason string) error
	// actor is by which name the history knows who did it.
	actor func(t *testing.T, e *evergate) string
}

func (w way) lever() string { return shutOf(w.host) }

// ways are all of them.
var ways = []way{
	{"command", "command.example", byCommand, systemUser},
	{"API", "api.example", byAPI, func(t *testing.T, e *evergate) string { e.makeToken(t); return e.tokenActor }},
	{"chat", "chat.example", byChat, func(*testing.T, *evergate) string { return "ada (slack)" }},
}

// hosts are the sites with a lever.
func hosts() (all []string) {
	for _, w := range ways {
		all = append(all, w.host)
	}
	return all
}

// systemUser is who runs this test: the unix socket asks the system.
func systemUser(t *testing.T, _ *evergate) string {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return me.Username
}

// byCommand turns a lever by the command, a process of its own.
func byCommand(e *evergate, lever, value, reason string) error {
	_, err := e.run("lever", "set", lever, value, "--reason", reason)
	return err
}

// makeToken makes the token of e, once: it outlives the process.
func (e *evergate) makeToken(t *testing.T) {
	t.Helper()
	if e.secret != "" {
		return
	}
	var made api.IssuedToken
	if err := json.Unmarshal([]byte(e.must(t, "token", "create", "pager", "--role", "operator", "-o", "json")), &made); err != nil {
		t.Fatal(err)
	}
	e.secret, e.tokenActor = made.Secret, "pager (token "+made.Token.ID+")"
}

// byAPI turns a lever over TCP, with the token.
func byAPI(e *evergate, lever, value, reason string) error {
	ask := func(method, body string) ([]byte, error) {
		r, err := http.NewRequest(method, "http://"+e.admin+"/api/v1/levers/"+url.PathEscape(lever), strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+e.secret)
		r.Header.Set("Content-Type", "application/json")
		return send(r)
	}
	now, err := ask(http.MethodGet, "")
	if err != nil {
		return err
	}
	var read api.Lever
	if err := json.Unmarshal(now, &read); err != nil {
		return err
	}
	_, err = ask(http.MethodPut, fmt.Sprintf(`{"value": %s, "version": %d, "reason": %q}`, value, read.Version, reason))
	return err
}

// byChat turns a lever by a command that Slack has signed, through the public site.
func byChat(e *evergate, lever, value, reason string) error {
	body := url.Values{
		"user_id": {chatUser}, "text": {fmt.Sprintf("set %s %s because %s", lever, value, reason)},
		"trigger_id": {strconv.FormatInt(time.Now().UnixNano(), 36)},
	}.Encode()
	r, err := http.NewRequest(http.MethodPost, "http://"+e.http+"/chat", strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Host = "door.example"
	// In whole seconds, so a little ahead: what was signed before the start is refused.
	stamp := strconv.FormatInt(time.Now().Add(time.Second).Unix(), 10)
	mac := hmac.New(sha256.New, []byte(chatSecret))
	fmt.Fprintf(mac, "v0:%s:%s", stamp, body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	said, err := send(r)
	if err == nil && !strings.Contains(string(said), "ada has set") {
		err = fmt.Errorf("the chat was told %s", said)
	}
	return err
}

// send is the body of a good answer.
func send(r *http.Request) ([]byte, error) {
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", r.Method, r.URL.Path, resp.Status, body)
	}
	return body, err
}
