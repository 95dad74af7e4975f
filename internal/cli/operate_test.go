package cli

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
)

// changed is the answer to a change of the sample lever max_in_flight.
func changed(stored api.Stored, due *api.Due) api.Changed {
	l := sampleLevers()[1]
	l.Since, l.Reverts, l.Provisional = then, time.Time{}, stored == api.InJournal
	return api.Changed{Lever: l, Stored: stored, Due: due}
}

// toCome is the answer to a change at a later time.
func toCome(due *api.Due) api.Changed {
	c := changed(api.InStore, due)
	c.Lever.Set, c.Lever.Value = false, raw("500")
	return c
}

// percent is the sample lever budget.percent after a change.
func percent() api.Changed {
	l := sampleLevers()[3]
	l.Value, l.Set, l.Version, l.Actor, l.Since = raw("30"), true, 1, "root", then
	return api.Changed{Lever: l, Stored: api.InStore}
}

// answers are what the fake API says when nothing else is asked of it.
func answers() map[string]reply {
	levers := sampleLevers()
	state := levers[4]
	state.Since, state.Version, state.Provisional = then, 2, false
	revert := &api.Due{ID: "0197a3c2-5f1e-7b90-8a51-3c2d9e4f1a07", Lever: levers[1].Name, Kind: "revert", At: then.Add(15 * time.Minute), Value: raw("null")}
	reset := changed(api.InStore, nil)
	reset.Lever.Set, reset.Lever.Value = false, raw("500")
	return map[string]reply{
		"GET status":  {body: calm()},
		"GET origins": {body: sampleOrigins()},
		"GET sites":   {body: sampleSites()},
		"GET levers":  {body: api.LeverList{At: then, Levers: levers}},
		"GET config":  {body: map[string]any{"node": map[string]any{"name": "door-1"}, "store": map[string]any{"url": "***"}}},
		"GET levers/origins.booking.max_in_flight":                     {body: levers[1]},
		"GET levers/origins.booking.paused":                            {body: levers[2]},
		"GET levers/origins.booking.retry.budget.percent":              {body: levers[3]},
		"GET levers/origins.booking.servers%5B10.0.0.12:8080%5D.state": {body: levers[4]},
		"PUT levers/origins.booking.max_in_flight":                     {body: changed(api.InStore, revert)},
		"PUT levers/origins.booking.retry.budget.percent":              {body: percent()},
		"DELETE levers/origins.booking.max_in_flight":                  {body: reset},
		"GET levers/origins.booking.max_in_flight/history":             {body: sampleHistory()},
		"POST origins/booking/servers/10.0.0.12:8080/drain":            {body: api.Changed{Lever: state, Stored: api.InStore}},
		"GET due": {body: sampleDues()},
		"DELETE due/0197a3c2-5f1e-7b90-8a51-3c2d9e4f1a08": {status: http.StatusNoContent},
		"GET tokens":               {body: sampleTokens()},
		"POST tokens":              {status: http.StatusCreated, body: api.IssuedToken{Token: sampleTokens().Tokens[0], Secret: "evg_4k9x2m7qra_secret"}},
		"DELETE tokens/4k9x2m7qra": {body: api.RevokedToken{ID: "4k9x2m7qra", Stored: api.InStore}},
		"GET store":                {body: trouble().Store},
		"POST store/confirm":       {status: http.StatusNoContent},
	}
}

func TestCommands_PrintForPeople(t *testing.T) {
	const lever = "origins.booking.max_in_flight"
	busy := answers()
	busy["GET status"] = reply{body: trouble()}
	journal := answers()
	kept := changed(api.InJournal, nil)
	kept.Note = "The store does not answer: connection refused."
	journal["PUT levers/"+lever] = reply{body: kept}
	later := answers()
	later["PUT levers/"+lever] = reply{body: toCome(&api.Due{ID: "0197a3c2-5f1e-7b90-8a51-3c2d9e4f1a07", Kind: "change", At: then.Add(time.Hour), Value: raw("100")})}
	conflict := answers()
	now := sampleLevers()[1]
	now.Since, now.Actor, now.Value, now.Reason = then, "bob", raw("50"), "no, slower still"
	conflict["PUT levers/"+lever] = reply{body: &api.Problem{Status: http.StatusConflict, Title: "Conflict", Detail: "somebody was faster", Current: &now}}
	odd := answers()
	odd["GET store"] = reply{body: api.Store{Kind: "postgres", Lost: true, Since: before(time.Minute), Confirm: "The store is empty, and this node remembers 42 changes."}}
	empty := answers()
	for what, body := range map[string]any{
		"GET due": api.DueList{At: then}, "GET tokens": api.TokenList{At: then}, "GET levers": api.LeverList{At: then}, "GET origins": api.OriginList{At: then},
		"GET levers/" + lever + "/history": api.History{At: then, Whole: true},
	} {
		empty[what] = reply{body: body}
	}
	outOfBounds := answers()
	outOfBounds["PUT levers/"+lever] = reply{body: &api.Problem{Status: http.StatusUnprocessableEntity, Title: "Unprocessable Entity", Detail: "want 0 to 1000000 requests"}}

	planted := answers()
	planted["DELETE tokens/4k9x2m7qra"] = reply{body: api.RevokedToken{ID: "4k9x2m7qra", Stored: api.InJournal, Due: sampleDues().Due[1:2],
		Note: "The store is lost: this node refuses the token from now on, and the others do when the store is back. Until then, revoke it on each of them."}}

	unknown := answers()
	unknown["GET levers/origins.bookin.paused"] = reply{body: &api.Problem{Status: http.StatusNotFound, Title: "Not Found",
		Detail: `there is no lever "origins.bookin.paused"; did you mean origins.booking.paused?`, Nearest: []string{"origins.booking.paused"}}}
	well := answers()
	fine := sampleOrigins()
	fine.Origins[0].Servers = fine.Origins[0].Servers[:1]
	well["GET origins"] = reply{body: fine}

	tests := []struct {
		name    string // also of the golden file
		answers map[string]reply
		args    []string
		code    int
	}{
		{"status-calm", well, []string{"status"}, exitOK},
		{"status-trouble", busy, []string{"status"}, exitOK},
		{"origins", answers(), []string{"origins"}, exitOK},
		{"origins-none", empty, []string{"origins"}, exitOK},
		{"sites", answers(), []string{"sites"}, exitOK},
		{"levers", answers(), []string{"levers"}, exitOK},
		{"levers-set", answers(), []string{"levers", "--set"}, exitOK},
		{"levers-set-none", empty, []string{"levers", "--set"}, exitOK},
		{"lever-get", answers(), []string{"lever", "get", lever}, exitOK},
		{"lever-get-word", answers(), []string{"lever", "get", "origins.booking.servers[10.0.0.12:8080].state"}, exitOK},
		{"lever-get-reset", answers(), []string{"lever", "get", "origins.booking.paused"}, exitOK},
		{"lever-get-percent", answers(), []string{"lever", "get", "origins.booking.retry.budget.percent"}, exitOK},
		{"lever-get-unknown", unknown, []string{"lever", "get", "origins.bookin.paused"}, exitFailed},
		{"lever-set", answers(), []string{"lever", "set", lever, "100", "--revert-after", "15m", "--reason", "database is slow"}, exitOK},
		{"lever-set-percent", answers(), []string{"lever", "set", "origins.booking.retry.budget.percent", "30%", "-r", "more"}, exitOK},
		{"lever-set-while-the-store-is-away", journal, []string{"lever", "set", lever, "100", "--reason", "database is slow"}, exitOK},
		{"lever-set-later", later, []string{"lever", "set", lever, "100", "--reason", "campaign", "--at", "2200-01-01T00:00:00Z"}, exitOK},
		{"lever-set-overtaken", conflict, []string{"lever", "set", lever, "100", "--reason", "database is slow"}, exitFailed},
		{"lever-set-based-on-a-version", answers(), []string{"lever", "set", lever, "100", "--reason", "x", "--if-version", "3"}, exitOK},
		{"lever-set-out-of-bounds", outOfBounds, []string{"lever", "set", lever, "many", "--reason", "x"}, exitFailed},
		{"lever-set-without-a-reason", answers(), []string{"lever", "set", lever, "100"}, exitUsage},
		{"lever-reset", answers(), []string{"lever", "reset", lever, "--reason", "database is fine again"}, exitOK},
		{"lever-history", answers(), []string{"lever", "history", lever, "--limit", "2"}, exitOK},
		{"lever-history-none", empty, []string{"lever", "history", lever}, exitOK},
		{"server-drain", answers(), []string{"server", "drain", "booking", "10.0.0.12:8080", "--reason", "kernel update", "--revert-after", "1h"}, exitOK},
		{"config-show", answers(), []string{"config", "show"}, exitOK},
		{"due-list", answers(), []string{"due", "list"}, exitOK},
		{"due-list-none", empty, []string{"due", "list"}, exitOK},
		{"due-cancel", answers(), []string{"due", "cancel", "0197a3c2-5f1e-7b90-8a51-3c2d9e4f1a08", "--reason", "put off"}, exitOK},
		{"token-create", answers(), []string{"token", "create", "deploy-pipeline", "--role", "operator", "--expires", "90d"}, exitOK},
		{"token-list", answers(), []string{"token", "list"}, exitOK},
		{"token-list-none", empty, []string{"token", "list"}, exitOK},
		{"token-revoke", answers(), []string{"token", "revoke", "4k9x2m7qra", "--reason", "laptop was stolen"}, exitOK},
		{"token-revoke-leaves-something-behind", planted, []string{"token", "revoke", "4k9x2m7qra", "--reason", "laptop was stolen"}, exitOK},
		{"store-status", answers(), []string{"store", "status"}, exitOK},
		{"store-status-odd", odd, []string{"store", "status"}, exitOK},
		{"store-confirm", answers(), []string{"store", "confirm", "--refill", "--reason", "made anew"}, exitOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeAPI(t, tt.answers)
			code, stdout, stderr := f.run(tt.args...)
			if code != tt.code {
				t.Errorf("code %d, want %d", code, tt.code)
			}
			var b strings.Builder
			b.WriteString("$ evergate " + strings.Join(tt.args, " ") + "\n" + stdout)
			if stderr != "" {
				b.WriteString("-- standard error\n" + strings.ReplaceAll(stderr, f.config, "evergate.yaml"))
			}
			for _, question := range f.questions() {
				if !strings.HasPrefix(question, "GET ") {
					b.WriteString("-- asked\n" + question + "\n")
				}
			}
			golden(t, "testdata/operate/"+tt.name+".txt", []byte(b.String()))
			for line := range strings.Lines(stdout) {
				if len([]rune(line)) > lineWidth+1 && !strings.Contains(line, "origins.booking.servers[") {
					t.Errorf("a line is longer than %d characters: %s", lineWidth, line)
				}
			}
		})
	}
}

func TestMain(m *testing.M) {
	time.Local = time.UTC // moments are printed in the zone of the machine
	os.Exit(m.Run())
}

func TestCommands_PrintTheJSONOfTheAPI(t *testing.T) {
	f := newFakeAPI(t, answers())
	for _, args := range [][]string{
		{"status"}, {"origins"}, {"sites"}, {"levers"}, {"lever", "get", "origins.booking.paused"}, {"config", "show"}, {"due", "list"}, {"token", "list"}, {"store", "status"},
		{"lever", "history", "origins.booking.max_in_flight"}, {"lever", "set", "origins.booking.max_in_flight", "100", "--reason", "x"}, {"token", "create", "x"},
	} {
		code, stdout, stderr := f.run(append(args, "-o", "json")...)
		if code != exitOK || stderr != "" || !strings.HasPrefix(stdout, "{") || !strings.HasSuffix(stdout, "}\n") || strings.Count(stdout, "\n") != 1 {
			t.Errorf("%s: code %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}

func TestCommands_RefuseBeforeTheyAsk(t *testing.T) {
	f := newFakeAPI(t, answers())
	reason := []string{"--reason", "x"}
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"a reason of white space", []string{"lever", "set", "a", "1", "--reason", " "}, `needs --reason "..."`},
		{"a way back in no time", append([]string{"lever", "set", "a", "1", "--revert-after", "0s"}, reason...), "want a time that is still to come"},
		{"a moment without a zone", append([]string{"lever", "set", "a", "1", "--at", "2200-01-01 03:00"}, reason...), "want a moment with its time zone"},
		{"a moment that is over", append([]string{"lever", "set", "a", "1", "--at", "2020-01-01T00:00:00Z"}, reason...), "is over"},
		{"a drain without a reason", []string{"server", "drain", "a", "b"}, "server drain needs --reason"},
		{"a role that is none", []string{"token", "create", "x", "--role", "king"}, `role "king" is none of viewer, operator, auditor, admin`},
		{"a time that is none", []string{"token", "create", "x", "--expires", "soon"}, "want a time such as 12h or 90d, or never"},
		{"a token for no time", []string{"token", "create", "x", "--expires", "0d"}, "want a time such as"},
		{"both ways for a store", append([]string{"store", "confirm", "--refill", "--accept"}, reason...), "say one of --refill"},
		{"no way for a store", append([]string{"store", "confirm"}, reason...), "say one of --refill"},
		{"a form that is none", []string{"status", "-o", "yaml"}, "want table or json"},
		{"no changes to show", []string{"lever", "history", "a", "--limit", "0"}, "want 1 or more"},
		{"a server and a configuration", []string{"status", "--server", "https://a"}, "--server and --config name two Evergates"},
		{"a token file for this machine", []string{"status", "--token-file", "x"}, "--token-file and --ca are for an Evergate elsewhere"},
		{"nowhere to migrate to", []string{"store", "migrate"}, "say one of --to URL and --to-file FILE"},
		{"no database", []string{"store", "migrate", "--to", "mysql://x"}, "must begin with postgres://"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := f.run(tt.args...)
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, tt.want) {
				t.Errorf("code %d, stdout %q, stderr %q", code, stdout, stderr)
			}
		})
	}
	if code, _, stderr := run("lever", "gte"); code != exitUsage || !strings.Contains(stderr, `evergate lever has no command "gte"; did you mean "get"?`) {
		t.Errorf("code %d, stderr %q", code, stderr)
	}
	if asked := f.questions(); len(asked) > 0 {
		t.Errorf("it was asked %q", asked)
	}
}

func TestCompletion_AsksTheOneThatRuns(t *testing.T) {
	f := newFakeAPI(t, answers())
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"levers", []string{"lever", "get", ""}, "origins.booking.paused\tnow false\n"},
		{"values of a word", []string{"lever", "set", "origins.booking.servers[10.0.0.12:8080].state", ""}, "drain\n"},
		{"values of a boolean", []string{"lever", "set", "origins.booking.paused", ""}, "true\n"},
		{"origins", []string{"server", "drain", ""}, "pay\n"},
		{"servers as they are configured", []string{"server", "drain", "booking", ""}, "app.internal:8080\tejected\n"},
		{"due changes", []string{"due", "cancel", ""}, "0197a3c2-5f1e-7b90-8a51-3c2d9e4f1a08\tin 12 min"},
		{"tokens", []string{"token", "revoke", ""}, "4k9x2m7qra\tdeploy-pipeline, operator\n"},
		{"roles", []string{"token", "create", "x", "--role", ""}, "operator\n"},
		{"purposes of keys", []string{"key", "rotate", ""}, "sticky\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := tt.args
			if !strings.HasPrefix(args[len(args)-2], "--") && args[0] != "key" {
				args = append(args[:len(args)-1:len(args)-1], "--config", f.config, "")
			}
			if code, stdout, _ := run(append([]string{"__complete"}, args...)...); code != exitOK || !strings.Contains(stdout, tt.want) {
				t.Errorf("code %d, %q lacks %q", code, stdout, tt.want)
			}
		})
	}
}

func TestCompletion_IsSilentWhenNobodyAnswers(t *testing.T) {
	code, stdout, stderr := run("__complete", "lever", "get", "--config", write(t, good), "")
	if code != exitOK || !strings.HasPrefix(stdout, ":4\n") || strings.Contains(stderr, "evergate:") {
		t.Errorf("code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestExpiry(t *testing.T) {
	for text, want := range map[string]string{"90d": "2160h", "12h": "12h0m0s", "never": "never", "-1h": "", "d": "", "99999999d": ""} {
		if got, err := expiry(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
}
