package chat

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/config"
)

const command15m = "set origins.booking.max_in_flight 100 for 15m because the database is slow"

func TestHandler_ChangesForEveryProgram(t *testing.T) {
	for _, program := range []Program{Slack, Mattermost, Teams} {
		t.Run(string(program), func(t *testing.T) {
			d := newDesk(t)
			r := map[Program]*http.Request{
				Slack: d.slack("UADA", command15m), Mattermost: d.mattermost("mmada", command15m), Teams: d.teams(strings.ToLower(adaTeams), command15m),
			}[program]
			text, public := d.says(r)
			want(t, text, "ada has set origins.booking.max_in_flight: it was 200 and is now 100, for 15m, until 07:15 UTC.", "Reason: the database is slow")
			if public != (program != Teams) { // Teams has but one kind of answer
				t.Errorf("public is %t", public)
			}
			if got, want := d.operator.made(), "origins.booking.max_in_flight=100 for 15m0s because the database is slow by ada (operator, "+string(program)+")"; got != want {
				t.Errorf("changes are\n%s\nwant\n%s", got, want)
			}
			if d.counted(program, done) != 1 {
				t.Error("it was not counted as done")
			}
			want(t, d.log.String(), `"actor":"ada"`, `"program":"`+string(program)+`"`, `"outcome":"done"`, `"lever":"origins.booking.max_in_flight"`, `"reason":"the database is slow"`)
		})
	}
}

func TestHandler_Answers(t *testing.T) {
	tests := []struct {
		name, user, text string
		public           bool
		want             string
		outcome          outcome
	}{
		{"a viewer sees the status", "UBOB", "status", false, "door-1 is serving. Evergate 1.2.3, up 3d3h.\nLevers are kept in core.db.\nAll is well.", told},
		{"a viewer sees origins", "UBOB", "origins", false, "10.0.0.11:8080  up  healthy  weight 1  7 in flight", told},
		{"a viewer sees a lever", "UBOB", "get origins.booking.max_in_flight", false, "origins.booking.max_in_flight is 200.", told},
		{"a viewer sees levers", "UBOB", "levers", false, "No lever is set", told},
		{"help of a viewer has nothing that changes", "UBOB", "help", false, "levers that are set", told},
		{"a viewer changes nothing", "UBOB", command15m, false, "Your role here is viewer", forbidden},
		{"an operator drains a server", "UADA", "drain booking 10.0.0.11:8080 because of its kernel", true, "ada has set origins.booking.servers[10.0.0.11:8080].state: it was up and is now drain, until somebody resets it.", done},
		{"an admin does too", "UEVE", "disable booking 10.0.0.11:8080 because it burns", true, "is now maint", done},
		{"and takes it back in", "UEVE", "enable booking 10.0.0.11:8080 because it is out", true, "is now up", done},
		{"a reset says what is again", "UADA", "reset origins.booking.max_in_flight because it is over", true, "which was not set: it is 200", done},
		{"an unknown lever is named", "UADA", "set origins.x.paused on because y", false, "There is no lever origins.x.paused.", refused},
		{"what is not understood is explained", "UADA", "set origins.booking.max_in_flight 100", false, "A reason is missing", refused},
		{"what would ping everybody does not", "UADA", "set origins.x.paused on because <!channel> & co", false, "There is no lever", refused},
		{"a stranger learns their id and nothing else", "UEVIL", "status", false, "Evergate does not know you, so nothing was done. If you should be able to give commands, ask those who run it to add your slack id UEVIL to chat.users.", stranger},
		{"who has no id is a stranger", "", "status", false, "your slack id (none) to", stranger},
		{"an id that is none is not shown", "UADA\x00", "status", false, "your slack id (none) to", stranger},
		{"an id with more to it is nobody's", "\u200bUADA ", "status", false, "your slack id UADA to", stranger},
		{"a long id is shown in brief", strings.Repeat("U", 5000), "status", false, "your slack id " + strings.Repeat("U", 80) + "... to", stranger},
		{"a NUL in a command", "UADA", "set origins.booking.max_in_flight 1\x00 because y", false, "control character (U+0000)", refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t)
			text, public := d.says(d.slack(tt.user, tt.text))
			want(t, text, tt.want)
			if public != tt.public {
				t.Errorf("public is %t, want %t", public, tt.public)
			}
			if d.counted(Slack, tt.outcome) != 1 {
				t.Errorf("it was not counted as %s", tt.outcome)
			}
			want(t, d.log.String(), `"outcome":"`+string(tt.outcome)+`"`)
			if tt.outcome != done && d.operator.made() != "" {
				t.Errorf("it changed %s", d.operator.made())
			}
		})
	}
}

func TestHandler_TurnsAway(t *testing.T) {
	d := newDesk(t)
	with := func(r *http.Request, change func(*http.Request)) *http.Request {
		change(r)
		return r
	}
	slackOne := func() *http.Request { return d.slack("UADA", command15m) }
	tests := []struct {
		name    string
		request *http.Request
		want    int
	}{
		{"a GET", httptest.NewRequest("GET", "https://ops.example.org/chat", nil), 405},
		{"a GET with the token", httptest.NewRequest("GET", "https://ops.example.org/chat?token="+mattermostToken+"&text=status&user_id=mmada&trigger_id=1", nil), 405},
		{"a PUT", with(slackOne(), func(r *http.Request) { r.Method = "PUT" }), 405},
		{"nothing at all", httptest.NewRequest("POST", "https://ops.example.org/chat", nil), 415},
		{"the wrong type", with(slackOne(), func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }), 415},
		{"a body that is packed", with(slackOne(), func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }), 415},
		{"a body that is too large", d.slackRaw(d.now, "user_id=UADA&text="+strings.Repeat("a", maxBody)), 413},
		{"a bad signature", with(slackOne(), func(r *http.Request) { r.Header.Set("X-Slack-Signature", "v0="+strings.Repeat("0", 64)) }), 401},
		{"a signature in upper case", with(slackOne(), func(r *http.Request) {
			r.Header.Set("X-Slack-Signature", "v0="+strings.ToUpper(r.Header.Get("X-Slack-Signature")[3:]))
		}), 401},
		{"a signature of another version", with(slackOne(), func(r *http.Request) {
			r.Header.Set("X-Slack-Signature", "v1="+r.Header.Get("X-Slack-Signature")[3:])
		}), 401},
		{"no signature", with(slackOne(), func(r *http.Request) { r.Header.Del("X-Slack-Signature") }), 401},
		{"no time", with(slackOne(), func(r *http.Request) { r.Header.Del("X-Slack-Request-Timestamp") }), 401},
		{"two signatures", with(slackOne(), func(r *http.Request) { r.Header.Add("X-Slack-Signature", "v0=") }), 401},
		{"two times", with(slackOne(), func(r *http.Request) { r.Header.Add("X-Slack-Request-Timestamp", "1") }), 401},
		{"another time than was signed", with(slackOne(), func(r *http.Request) { r.Header.Set("X-Slack-Request-Timestamp", "1623135661") }), 401},
		{"the same time in other figures", with(slackOne(), func(r *http.Request) {
			r.Header.Set("X-Slack-Request-Timestamp", "0"+r.Header.Get("X-Slack-Request-Timestamp"))
		}), 401},
		{"a signed request of six minutes ago", d.slackRaw(d.now.Add(-6*time.Minute), "user_id=UADA&text=status"), 401},
		{"a signed request of six minutes ahead", d.slackRaw(d.now.Add(6*time.Minute), "user_id=UADA&text=status"), 401},
		{"a signed time beyond all years", d.slackRaw(time.Unix(1<<62, 0), "user_id=UADA&text=status"), 401},
		{"a signed time before all years", d.slackRaw(time.Unix(-1<<62, 0), "user_id=UADA&text=status"), 401},
		{"a signed field that is there twice", d.slackRaw(d.now, "user_id=UADA&text=status&user_id=UEVE"), 400},
		{"a signed form that is none", d.slackRaw(d.now, "user_id=%zz"), 400},
		{"Slack and Teams at once", with(slackOne(), func(r *http.Request) { r.Header.Set("Authorization", "HMAC abc") }), 401},
		{"Slack and Mattermost at once", with(slackOne(), func(r *http.Request) { r.Header.Set("Authorization", "Token "+mattermostToken) }), 401},
		{"Teams and Mattermost at once", with(d.teams(adaTeams, "status"), func(r *http.Request) { r.Header.Add("Authorization", "Token "+mattermostToken) }), 401},
		{"a bad token", mattermostRaw(strings.ReplaceAll(mattermostForm("mmada", "status").Encode(), mattermostToken, "wrong")), 401},
		{"no token", mattermostRaw("user_id=mmada&text=status&trigger_id=1"), 401},
		{"a good token in the header only", mattermostRaw("user_id=mmada&text=status&trigger_id=1&token="), 401},
		{"a good token in the form only, and another in the header", with(d.mattermost("mmada", "status"), func(r *http.Request) { r.Header.Set("Authorization", "Token wrong") }), 401},
		{"a bad token and a good one", mattermostRaw("token=wrong&" + mattermostForm("mmada", "status").Encode()), 401},
		{"a token in the query", with(mattermostRaw("user_id=mmada&text=status&trigger_id=1"), func(r *http.Request) { r.URL.RawQuery = "token=" + mattermostToken }), 401},
		{"a token in plain sight", with(d.mattermost("mmada", "status"), func(r *http.Request) { r.TLS = nil }), 403},
		{"two users", mattermostRaw(mattermostForm("mmada", "status").Encode() + "&user_id=mmbob"), 400},
		{"no trigger", mattermostRaw("token=" + mattermostToken + "&user_id=mmada&text=status"), 400},
		{"a bad HMAC", with(d.teams(adaTeams, "status"), func(r *http.Request) { r.Header.Set("Authorization", "HMAC "+teamsSecret) }), 401},
		{"two HMACs", with(d.teams(adaTeams, "status"), func(r *http.Request) { r.Header.Add("Authorization", "HMAC abc") }), 401},
		{"an HMAC with more behind it", with(d.teams(adaTeams, "status"), func(r *http.Request) { r.Header.Set("Authorization", r.Header.Get("Authorization")+"=") }), 401},
		{"an activity of six minutes ago", teamsRaw(d.teamsBody(adaTeams, "status", map[string]any{"timestamp": d.now.Add(-6 * time.Minute).Format(time.RFC3339)})), 401},
		{"an activity without a time", teamsRaw(d.teamsBody(adaTeams, "status", map[string]any{"timestamp": ""})), 400},
		{"an activity without an id", teamsRaw(d.teamsBody(adaTeams, "status", map[string]any{"id": ""})), 400},
		{"an activity that is no message", teamsRaw(d.teamsBody(adaTeams, "status", map[string]any{"type": "invoke"})), 400},
		{"an activity that is no JSON", teamsRaw("{"), 400},
		{"two activities", teamsRaw(d.teamsBody(adaTeams, "status", nil) + "{}"), 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := d.send(tt.request)
			if w.Code != tt.want || strings.TrimSpace(w.Body.String()) != http.StatusText(tt.want) {
				t.Errorf("answered %d %q, want %d and no more than its name", w.Code, w.Body, tt.want)
			}
		})
	}
	if d.operator.made() != "" {
		t.Errorf("something was changed: %s", d.operator.made())
	}
	if lines := strings.Count(d.log.String(), "\n"); lines > 15 {
		t.Errorf("%d strange requests have made %d lines", len(tests), lines)
	}
}

func TestHandler_AnswersTheLookAtTheCertificate(t *testing.T) {
	d := newDesk(t)
	if w := d.send(httptest.NewRequest("GET", "https://ops.example.org/chat?ssl_check=1", nil)); w.Code != 200 || w.Body.Len() != 0 {
		t.Errorf("GET answered %d %q, want 200 and nothing", w.Code, w.Body)
	}
	if text, _ := d.says(d.slackRaw(d.now, "ssl_check=1&token=x")); text != "Evergate is here." {
		t.Errorf("POST answered %q", text)
	}
}

func TestHandler_TakesNoRequestTwice(t *testing.T) {
	for _, program := range []Program{Slack, Mattermost, Teams} {
		t.Run(string(program), func(t *testing.T) {
			d := newDesk(t)
			slack, mattermost, teams := d.slack("UADA", command15m), mattermostForm("mmada", command15m).Encode(), d.teamsBody(adaTeams, command15m, nil)
			slackBody := readAll(t, slack)
			send := func() (string, bool) {
				return d.says(map[Program]func() *http.Request{
					Slack: func() *http.Request { return d.slackRaw(start.Add(time.Minute), slackBody) }, Mattermost: func() *http.Request { return mattermostRaw(mattermost) }, Teams: func() *http.Request { return teamsRaw(teams) },
				}[program]())
			}
			if text, _ := send(); !strings.Contains(text, "is now 100") {
				t.Fatalf("the first is answered with %s", text)
			}
			made := d.operator.made()
			for range 50 { // a copy does not use up what its owner may send
				text, public := send()
				want(t, text, "has taken this very command before")
				if public {
					t.Fatal("the channel sees it")
				}
			}
			// A reload changes nothing about it.
			var err error
			if d.handler, err = d.endpoint.Handler(testConfig()); err != nil {
				t.Fatal(err)
			}
			text, _ := send()
			want(t, text, "has taken this very command before")
			if d.operator.made() != made {
				t.Errorf("a copy has changed something: %s", d.operator.made())
			}
			if d.counted(program, replayed) != 51 {
				t.Error("copies are not counted")
			}
			if text, _ := d.says(d.slack("UADA", "status")); !strings.Contains(text, "door-1 is serving") {
				t.Errorf("their owner is told %s", text)
			}
		})
	}
}

func TestHandler_MakesOneChangeOfCopiesThatComeAtOnce(t *testing.T) {
	d := newDesk(t)
	body := mattermostForm("mmada", command15m).Encode()
	var all sync.WaitGroup
	for range limitBurst {
		all.Go(func() { d.handler.ServeHTTP(httptest.NewRecorder(), mattermostRaw(body)) })
	}
	all.Wait()
	if made := d.operator.made(); strings.Count(made, "max_in_flight") != 1 || d.counted(Mattermost, replayed) != limitBurst-1 {
		t.Errorf("%d copies were refused, and changes are %s", d.counted(Mattermost, replayed), made)
	}
}

func TestHandler_TakesNothingSignedBeforeItsProcessBegan(t *testing.T) {
	d := newDesk(t)
	text, _ := d.says(d.slackRaw(start.Add(-time.Second), "user_id=UADA&text=status"))
	want(t, text, "has just started", "type it again")
	text, _ = d.says(teamsRaw(d.teamsBody(adaTeams, "status", map[string]any{"timestamp": start.Add(-time.Millisecond).Format(time.RFC3339Nano)})))
	want(t, text, "has just started")
}

func TestHandler_RefusesWhatItCouldNotRemember(t *testing.T) {
	d := newDesk(t)
	d.endpoint.memories[Mattermost].most = 1
	d.says(d.mattermost("mmada", "status"))
	text, _ := d.says(d.mattermost("mmada", command15m))
	want(t, text, "more commands than it can remember")
	if d.operator.made() != "" || d.counted(Mattermost, full) != 1 {
		t.Errorf("changes are %q", d.operator.made())
	}
	d.now = d.now.Add(unsignedKept)
	text, _ = d.says(d.mattermost("mmada", command15m))
	want(t, text, "is now 100")
}

func TestHandler_LimitsOnePersonAndNotAnother(t *testing.T) {
	d := newDesk(t)
	for range limitBurst - 1 {
		d.says(d.slack("UADA", "status"))
	}
	d.says(d.mattermost("mmada", "status")) // the same person
	text, _ := d.says(d.slack("UADA", command15m))
	want(t, text, "too many commands")
	text, _ = d.says(d.slack("UEVE", "status"))
	want(t, text, "door-1 is serving")
	d.now = d.now.Add(limitEvery)
	text, _ = d.says(d.slack("UADA", "status"))
	want(t, text, "door-1 is serving")
	if d.counted(Slack, limited) != 1 {
		t.Error("it was not counted")
	}
}

func TestHandler_BelievesNobodyElsesId(t *testing.T) {
	d := newDesk(t)
	// Of what a request has, only the signed body says who it is from.
	r := d.slack("UBOB", command15m)
	r.URL.RawQuery = "user_id=UADA"
	r.Header.Set("X-User-Id", "UADA")
	text, _ := d.says(r)
	want(t, text, "Your role here is viewer")
	// The id of one program is nobody in another.
	text, _ = d.says(d.mattermost("UADA", command15m))
	want(t, text, "does not know you")
	// A name is no id.
	text, _ = d.says(d.slackRaw(d.now, "user_id=UEVIL&user_name=UADA&text=status"))
	want(t, text, "does not know you")
	text, _ = d.says(teamsRaw(d.teamsBody("", command15m, map[string]any{"from": map[string]any{"id": "29:x", "name": adaTeams}})))
	want(t, text, "does not know you", "29:x")
	if d.operator.made() != "" {
		t.Errorf("something was changed: %s", d.operator.made())
	}
}

func TestHandler_KnowsOnlyProgramsOfTheConfiguration(t *testing.T) {
	d := newDesk(t)
	c := testConfig()
	c.Slack, c.Mattermost, c.Teams = nil, nil, nil
	var err error
	if d.handler, err = d.endpoint.Handler(c); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*http.Request{d.slack("UADA", "status"), d.mattermost("mmada", "status"), d.teams(adaTeams, "status")} {
		if w := d.send(r); w.Code != http.StatusUnauthorized {
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
	}
	if w := d.send(httptest.NewRequest("GET", "https://ops.example.org/chat?ssl_check=1", nil)); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
}

func TestHandler_SaysWhatIsWrongWithTheConfiguration(t *testing.T) {
	d := newDesk(t)
	tests := []struct {
		name   string
		change func(*config.Chat)
		want   string
	}{
		{"a secret of Teams that is none", func(c *config.Chat) { c.Teams.Secret = config.NewSecret("hunter2!") }, "chat.teams.secret is not what Teams has shown"},
		{"no secret of Slack", func(c *config.Chat) { c.Slack.SigningSecret = config.Secret{} }, "chat.slack.signing_secret is empty"},
		{"no token of Mattermost", func(c *config.Chat) { c.Mattermost.Token = config.NewSecret("") }, "chat.mattermost.token is empty"},
		{"no secret of Teams", func(c *config.Chat) { c.Teams.Secret = config.Secret{} }, "chat.teams.secret is not what Teams has shown"},
		{"an id of two people", func(c *config.Chat) { c.Users[3].Slack = "UADA" }, `chat.users[3]: the slack id "UADA" of bob is that of ada already`},
		{"an id of two people in another case", func(c *config.Chat) {
			c.Users = append(c.Users, &config.ChatUser{Teams: strings.ToLower(adaTeams), Actor: "x", Role: "viewer"})
		}, "is that of ada already"},
		{"a role that is none", func(c *config.Chat) { c.Users[0].Role = "root" }, `chat.users[0]: role "root"`},
		{"a person without a name", func(c *config.Chat) { c.Users[0].Actor = "" }, "chat.users[0] has no actor"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := testConfig()
			tt.change(c)
			if _, err := d.endpoint.Handler(c); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Handler says %v, want %q", err, tt.want)
			}
		})
	}
}

func TestNew_SaysWhatIsMissing(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("an endpoint without an operator was made")
	}
	figures := prometheus.NewRegistry()
	if _, err := New(Options{Operator: &fakeOperator{}, Registerer: figures}); err != nil {
		t.Error(err)
	}
	if _, err := New(Options{Operator: &fakeOperator{}, Registerer: figures}); err == nil {
		t.Error("two endpoints share their figures")
	}
}
