package chat

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/config"
)

const (
	slackSecret     = "made-up-signing-secret-of-tests"
	mattermostToken = "madeuptokenoftests123456789"
	teamsSecret     = "bWFkZSB1cCBrZXkgb2YgdGVzdHMsIDMyIGJ5dGVzISE="
	adaTeams        = "0A1B2C3D-0000-4000-8000-00000000ADA0"
)

// fakeOperator keeps levers in a map and remembers what was asked of it.
type fakeOperator struct {
	mu      sync.Mutex
	levers  map[string]Lever
	changes []Change
	fail    error         // what every method returns, if it is not nil
	panics  bool          // in Status
	wait    chan struct{} // if it is not nil, Change waits for it
	journal bool
	faster  bool // somebody else turns each lever before Change does
}

func (f *fakeOperator) Status(context.Context) (Status, error) {
	if f.panics {
		panic("a bug")
	}
	return Status{Node: "door-1", Version: "1.2.3", Phase: "serving", Uptime: 75 * time.Hour, Store: "Levers are kept in core.db.", At: start}, f.fail
}

func (f *fakeOperator) Origins(context.Context) ([]Origin, error) {
	return []Origin{{Name: "booking", InFlight: 7, Servers: []Server{{Address: "10.0.0.11:8080", State: "up", Health: "healthy", InFlight: 7, Weight: 1}}}}, f.fail
}

func (f *fakeOperator) Levers(context.Context) ([]Lever, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []Lever{f.levers["origins.booking.max_in_flight"]}, f.fail
}

func (f *fakeOperator) Lever(_ context.Context, name string) (Lever, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.levers[name]
	if f.fail != nil {
		return Lever{}, f.fail
	}
	if !ok {
		return Lever{}, &Refusal{"There is no lever " + name + "."}
	}
	return l, nil
}

func (f *fakeOperator) Change(ctx context.Context, c Change) (Changed, error) {
	if f.wait != nil {
		select {
		case <-f.wait:
		case <-ctx.Done():
			return Changed{}, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changes = append(f.changes, c)
	l := f.levers[c.Lever]
	if f.faster {
		l.Value, l.Version, l.Actor, l.Reason, l.Since = "7", l.Version+1, "bob", "I was first", start
	}
	if c.Based != l.Version {
		return Changed{}, &Conflict{l}
	}
	l.Value, l.Set, l.Version, l.Actor, l.Reason, l.Since = c.Value, true, l.Version+1, c.Actor, c.Reason, start
	if c.Reset {
		l.Value, l.Set = l.File, false
	}
	if c.RevertAfter > 0 {
		l.Reverts = start.Add(c.RevertAfter)
	}
	f.levers[c.Lever] = l
	return Changed{Lever: l, Journaled: f.journal, Reverts: l.Reverts}, nil
}

// made returns the changes that were made, as text.
func (f *fakeOperator) made() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lines []string
	for _, c := range f.changes {
		lines = append(lines, fmt.Sprintf("%s=%s for %s because %s by %s (%s, %s)", c.Lever, c.Value, c.RevertAfter, c.Reason, c.Actor, c.Role, c.Program))
	}
	return strings.Join(lines, "\n")
}

// desk is an endpoint with all three programs, its operator, its clock and its log.
type desk struct {
	t        *testing.T
	endpoint *Endpoint
	handler  http.Handler
	operator *fakeOperator
	now      time.Time
	log      locked
	figures  *prometheus.Registry
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, now: start, figures: prometheus.NewRegistry(), operator: &fakeOperator{levers: map[string]Lever{
		"origins.booking.max_in_flight":                 {Name: "origins.booking.max_in_flight", Value: "200", File: "200"},
		"origins.booking.servers[10.0.0.11:8080].state": {Name: "origins.booking.servers[10.0.0.11:8080].state", Value: "up", File: "up"},
	}}}
	var err error
	d.endpoint, err = New(Options{
		Operator: d.operator, Clock: clock.At(func() time.Time { return d.now }), Registerer: d.figures,
		Log: slog.New(slog.NewJSONHandler(&d.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	if d.handler, err = d.endpoint.Handler(testConfig()); err != nil {
		t.Fatal(err)
	}
	d.now = start.Add(time.Minute)
	return d
}

func testConfig() *config.Chat {
	return &config.Chat{
		Slack:      &config.Slack{SigningSecret: config.NewSecret(slackSecret)},
		Mattermost: &config.Mattermost{Token: config.NewSecret(mattermostToken)},
		Teams:      &config.Teams{Secret: config.NewSecret(teamsSecret)},
		Users: []*config.ChatUser{
			{Slack: "UADA", Actor: "ada", Role: "operator"},
			{Mattermost: "mmada", Actor: "ada", Role: "operator"},
			{Teams: adaTeams, Actor: "ada", Role: "operator"},
			{Slack: "UBOB", Actor: "bob", Role: "viewer"},
			{Mattermost: "mmbob", Actor: "bob", Role: "auditor"},
			{Slack: "UEVE", Actor: "eve", Role: "admin"},
		},
	}
}

// locked is a buffer for several goroutines.
type locked struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// send sends a request and checks what holds for every answer.
func (d *desk) send(r *http.Request) *httptest.ResponseRecorder {
	d.t.Helper()
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	for _, secret := range []string{slackSecret, mattermostToken, teamsSecret} {
		if strings.Contains(w.Body.String(), secret) || strings.Contains(d.log.String(), secret) {
			d.t.Errorf("a secret is shown: %s", w.Body)
		}
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		d.t.Errorf("Cache-Control is %q, want no-store", got)
	}
	return w
}

// says sends a request that must be answered with 200, and returns the answer's text
// and whether the channel sees it.
func (d *desk) says(r *http.Request) (text string, public bool) {
	d.t.Helper()
	w := d.send(r)
	if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || got != "application/json; charset=utf-8" {
		d.t.Fatalf("answered %d, %s: %s", w.Code, got, w.Body)
	}
	var a struct {
		ResponseType string `json:"response_type"`
		Text         string `json:"text"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		d.t.Fatal(err)
	}
	return a.Text, a.ResponseType == "in_channel"
}

// counted returns how many requests had an outcome.
func (d *desk) counted(p Program, o outcome) int {
	return int(testutil.ToFloat64(d.endpoint.metrics.commands.WithLabelValues(string(p), string(o))))
}

// want fails unless text has all parts.
func want(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in:\n%s", part, text)
		}
	}
}

func signSlack(stamp, body string) string {
	mac := hmac.New(sha256.New, []byte(slackSecret))
	mac.Write([]byte("v0:" + stamp + ":" + body))
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// slackRaw is a request with a good signature over any body.
func (d *desk) slackRaw(at time.Time, body string) *http.Request {
	r := httptest.NewRequest("POST", "https://ops.example.org/chat", strings.NewReader(body))
	stamp := strconv.FormatInt(at.Unix(), 10)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", signSlack(stamp, body))
	return r
}

// slack is a command as Slack sends it, now. Each differs by its trigger.
func (d *desk) slack(user, text string) *http.Request {
	return d.slackRaw(d.now, url.Values{
		"token": {"an-old-verification-token"}, "team_id": {"T1"}, "user_id": {user}, "user_name": {"anything"},
		"command": {"/evergate"}, "text": {text}, "trigger_id": {fresh()},
	}.Encode())
}

func mattermostRaw(body string) *http.Request {
	r := httptest.NewRequest("POST", "https://ops.example.org/chat", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Token "+mattermostToken)
	return r
}

func mattermostForm(user, text string) url.Values {
	return url.Values{
		"token": {mattermostToken}, "user_id": {user}, "user_name": {"anything"}, "command": {"/evergate"}, "text": {text}, "trigger_id": {fresh()},
		"user_mentions": {"a", "b"},
	}
}

func (d *desk) mattermost(user, text string) *http.Request {
	return mattermostRaw(mattermostForm(user, text).Encode())
}

func teamsRaw(body string) *http.Request {
	key, err := base64.StdEncoding.DecodeString(teamsSecret)
	if err != nil {
		panic(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(body))
	r := httptest.NewRequest("POST", "https://ops.example.org/chat", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("Authorization", "HMAC "+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return r
}

// teamsBody is an activity; parts replaces some of its fields.
func (d *desk) teamsBody(user, text string, parts map[string]any) string {
	a := map[string]any{
		"type": "message", "id": fresh(), "timestamp": d.now.Format("2006-01-02T15:04:05.000Z"), "text": text, "textFormat": "plain",
		"from": map[string]any{"id": "29:1XJK", "name": "anything", "aadObjectId": user}, "conversation": map[string]any{"id": "19:abc@thread.skype;messageid=1"},
	}
	for name, value := range parts {
		a[name] = value
	}
	body, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	return string(body)
}

func (d *desk) teams(user, text string) *http.Request {
	return teamsRaw(d.teamsBody(user, "<at>Evergate</at> "+text, nil))
}

var (
	freshMu sync.Mutex
	freshN  int
)

// fresh returns an id that was not there before.
func fresh() string {
	freshMu.Lock()
	defer freshMu.Unlock()
	freshN++
	return strconv.Itoa(1485983408511 + freshN)
}

func readAll(t *testing.T, r *http.Request) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
