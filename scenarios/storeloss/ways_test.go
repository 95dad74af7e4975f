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
	"strconv"
	"strings"
	"testing"
	"time"
)

// What the configuration says of chat.
const (
	chatSecret = "8f742231b10e8888abcd99yyyzzz85a5"
	chatUser   = "U024BE7LH"
)

// byCommand turns the lever as the command line does.
func byCommand(t *testing.T, e *evergate, value, reason string) {
	t.Helper()
	e.must(t, "lever", "set", lever, value, "--reason", reason)
}

// byAPI turns it over TCP, with a token.
func byAPI(t *testing.T, e *evergate, value, reason string) {
	t.Helper()
	var made struct {
		Secret string `json:"secret"`
	}
	if err := json.Unmarshal([]byte(e.must(t, "token", "create", "test", "--role", "operator", "-o", "json")), &made); err != nil {
		t.Fatal(err)
	}
	ask := func(method, body string) []byte {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+e.admin+"/api/v1/levers/"+lever, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+made.Secret)
		r.Header.Set("Content-Type", "application/json")
		return answer(t, r)
	}
	var now struct {
		Version int64 `json:"version"`
	}
	if err := json.Unmarshal(ask(http.MethodGet, ""), &now); err != nil {
		t.Fatal(err)
	}
	ask(http.MethodPut, fmt.Sprintf(`{"value": %s, "version": %d, "reason": %q}`, value, now.Version, reason))
}

// byChat turns it as a command that Slack has signed, through the public site.
func byChat(t *testing.T, e *evergate, value, reason string) {
	t.Helper()
	body := url.Values{
		"user_id": {chatUser}, "text": {fmt.Sprintf("set %s %s because %s", lever, value, reason)},
		"trigger_id": {strconv.FormatInt(time.Now().UnixNano(), 36)},
	}.Encode()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+e.http+"/chat", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	// In whole seconds, so a little ahead: what was signed before the start is refused.
	stamp := strconv.FormatInt(time.Now().Add(time.Second).Unix(), 10)
	mac := hmac.New(sha256.New, []byte(chatSecret))
	fmt.Fprintf(mac, "v0:%s:%s", stamp, body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	if text := string(answer(t, r)); !strings.Contains(text, value) {
		t.Fatalf("the chat was told %s", text)
	}
}

// answer is the body of a good answer.
func answer(t *testing.T, r *http.Request) []byte {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s, %v: %s", r.Method, r.URL.Path, resp.Status, err, body)
	}
	return body
}
