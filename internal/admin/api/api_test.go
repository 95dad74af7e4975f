package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/token"
	"github.com/evergate/evergate/internal/cluster/setting"
)

func TestReading(t *testing.T) {
	f := newFixture(t)
	tests := []struct{ path, want string }{
		{"/status", `"node":"door-1"`},
		{"/status", `"conditions":[]`},
		{"/config", `"name":"door-1"`},
		{"/sites", `"book.example.org"`},
		{"/origins", `"unresolved":[]`},
		{"/origins/booking", `"10.0.0.11:8080"`},
		{"/origins/booking/servers/10.0.0.11:8080", `"origins.booking.servers[10.0.0.11:8080].state"`},
		{"/origins/booking/servers/unix:%2Frun%2Fapp.sock", `"unix:/run/app.sock"`},
		{"/origins/booking/servers/%5B::1%5D:8080", `"[::1]:8080"`},
		{"/origins/booking/servers/app.internal:80", `"10.0.0.22:80"`},
		{"/levers", `"origins.booking.paused"`},
		{"/levers/origins.booking.servers%5Bunix:%2Frun%2Fapp.sock%5D.state", `"words":["up","drain","maint"]`},
		{"/levers/origins.booking.paused/history", `"whole":true`},
		{"/due", `"d1"`},
		{"/store", `"sqlite"`},
		{"/tokens", `"auditor"`},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			w := f.ask(http.MethodGet, base+tt.path, "")
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("%d %s lacks %s", w.Code, w.Body, tt.want)
			}
			if h := w.Header(); h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers %v", h)
			}
		})
	}
}

func TestTokensNeverShowTheirHash(t *testing.T) {
	f := newFixture(t)
	if body := f.ask(http.MethodGet, base+"/tokens", "").Body.String(); strings.Contains(body, "hash") {
		t.Error(body)
	}
}

func TestSetLever(t *testing.T) {
	f := newFixture(t)
	const path = base + "/levers/origins.booking.max_in_flight"
	changed := decode[Changed](t, f.ask(http.MethodPut, path, `{"value": 100, "version": 0, "reason": " the campaign begins ", "revert_after": "15m"}`), http.StatusOK)
	if string(changed.Lever.Value) != "100" || changed.Stored != InStore || changed.Lever.Version != 1 {
		t.Errorf("got %+v", changed)
	}
	c := f.levers.changes[0]
	if c.RevertAfter != 15*time.Minute || c.Reason != "the campaign begins" || !strings.HasPrefix(c.Actor, "admin (token ") {
		t.Errorf("the change was %+v", c)
	}

	f.levers.stored = InJournal
	changed = decode[Changed](t, f.ask(http.MethodDelete, path+"?version=1&reason=it+is+over", ""), http.StatusOK)
	if string(changed.Lever.Value) != "200" || changed.Stored != InJournal || !strings.Contains(changed.Note, "journal") {
		t.Errorf("got %+v", changed)
	}
	if c := f.levers.changes[1]; c.Value != nil || c.Reason != "it is over" {
		t.Errorf("the reset was %+v", c)
	}
}

func TestAChangeIsFinishedWhenItsClientIsGone(t *testing.T) {
	f := newFixture(t)
	r := f.request(http.MethodPut, base+"/levers/origins.booking.paused", `{"value": true, "version": 0, "reason": "x"}`)
	gone, cancel := context.WithCancel(r.Context())
	cancel()
	if w := f.do(r.WithContext(gone)); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	r = f.request(http.MethodPost, base+"/reload", "")
	if w := f.do(r.WithContext(gone)); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestServers(t *testing.T) {
	for verb, state := range map[string]string{"enable": `"up"`, "drain": `"drain"`, "disable": `"maint"`} {
		t.Run(verb+" sets the lever to "+state, func(t *testing.T) {
			f := newFixture(t)
			w := f.ask(http.MethodPost, base+"/origins/booking/servers/"+url.PathEscape("unix:/run/app.sock")+"/"+verb, `{"reason": "new kernel", "revert_after": "1h"}`)
			changed := decode[Changed](t, w, http.StatusOK)
			if changed.Lever.Name != "origins.booking.servers[unix:/run/app.sock].state" || string(changed.Lever.Value) != state {
				t.Errorf("got %+v", changed.Lever)
			}
			if f.levers.changes[0].RevertAfter != time.Hour {
				t.Errorf("the change was %+v", f.levers.changes[0])
			}
		})
	}
}

func TestServers_TakeTheStateThatIsThere(t *testing.T) {
	f := newFixture(t)
	name := "origins.booking.servers[10.0.0.11:8080].state"
	interruptions := 1
	f.levers.before = func(Change) { // somebody changes the lever between our look and our change
		if interruptions > 0 {
			interruptions--
			l := f.levers.all[name]
			l.Version++
			f.levers.put(l)
		}
	}
	const path = base + "/origins/booking/servers/10.0.0.11:8080/drain"
	if w := f.ask(http.MethodPost, path, `{"reason": "new kernel"}`); w.Code != http.StatusOK {
		t.Errorf("without a version: %d %s", w.Code, w.Body)
	}
	problemIn(t, f.ask(http.MethodPost, path, `{"reason": "new kernel", "version": 0}`), http.StatusConflict, kindConflict)
}

func TestHistory_ComesInParts(t *testing.T) {
	f := newFixture(t)
	const path = base + "/levers/origins.booking.paused/history?limit=2"
	h := decode[History](t, f.ask(http.MethodGet, path, ""), http.StatusOK)
	if len(h.Versions) != 2 || h.Versions[0].Number != 5 || h.Next != 4 {
		t.Errorf("got %+v", h)
	}
	h = decode[History](t, f.ask(http.MethodGet, path+"&before=2", ""), http.StatusOK)
	if len(h.Versions) != 1 || h.Versions[0].Number != 1 || h.Next != 0 {
		t.Errorf("got %+v", h)
	}
}

func TestHistory_WithoutTheStoreSaysThatItIsNotWhole(t *testing.T) {
	f := newFixture(t)
	f.levers.whole = false
	if h := decode[History](t, f.ask(http.MethodGet, base+"/levers/origins.booking.paused/history", ""), http.StatusOK); h.Whole {
		t.Errorf("got %+v", h)
	}
}

func TestReload(t *testing.T) {
	f := newFixture(t)
	if r := decode[Reload](t, f.ask(http.MethodPost, base+"/reload", ""), http.StatusOK); !r.OK || !strings.HasPrefix(f.door.reloader, "admin (token ") {
		t.Errorf("got %+v, asked by %s", r, f.door.reloader)
	}
	f.door.reload = Reload{Config: "/etc/evergate.yaml", Problems: []string{"/etc/evergate.yaml:3: sites: want a list"}}
	w := f.ask(http.MethodPost, base+"/reload", "")
	p := problemIn(t, w, http.StatusUnprocessableEntity, kindReload)
	if r := decode[Reload](t, w, http.StatusUnprocessableEntity); r.OK || len(r.Problems) != 1 || !strings.Contains(p.Detail, "want a list") {
		t.Errorf("got %s", w.Body)
	}
}

func TestDues(t *testing.T) {
	f := newFixture(t)
	if w := f.ask(http.MethodDelete, base+"/due/d1?reason=we+stay", ""); w.Code != http.StatusNoContent || !strings.HasSuffix(f.dues.cancelled, ": we stay") {
		t.Errorf("%d %s, %q", w.Code, w.Body, f.dues.cancelled)
	}
}

func TestTokens(t *testing.T) {
	f := newFixture(t)
	made := decode[IssuedToken](t, f.ask(http.MethodPost, base+"/tokens", `{"name": "pipeline", "role": "operator"}`), http.StatusCreated)
	if !made.Token.Expires.Equal(start.Add(90*24*time.Hour)) || !strings.HasPrefix(made.Token.By, "admin (token ") {
		t.Errorf("made %+v", made.Token)
	}
	use := func() int {
		r := f.request(http.MethodGet, base+"/status", "")
		r.Header.Set("Authorization", "Bearer "+made.Secret)
		return f.do(r).Code
	}
	if got := use(); got != http.StatusOK {
		t.Errorf("the new token: %d", got)
	}
	revoked := decode[RevokedToken](t, f.ask(http.MethodDelete, base+"/tokens/"+made.Token.ID+"?reason=lost", ""), http.StatusOK)
	if revoked.ID != made.Token.ID || revoked.Stored != InStore || revoked.Note != "" || len(revoked.Due) != 0 {
		t.Errorf("revoked %+v", revoked)
	}
	if got := use(); got != http.StatusUnauthorized {
		t.Errorf("the revoked token: %d", got)
	}
	forever := decode[IssuedToken](t, f.ask(http.MethodPost, base+"/tokens", `{"name": "p", "role": "viewer", "expires_in": "never"}`), http.StatusCreated)
	if !forever.Token.Expires.IsZero() {
		t.Errorf("made %+v", forever.Token)
	}
}

func TestTokens_RevokingOneShowsWhatItLeavesBehind(t *testing.T) {
	f := newFixture(t)
	made := decode[IssuedToken](t, f.ask(http.MethodPost, base+"/tokens", `{"name": "pipeline", "role": "operator"}`), http.StatusCreated)
	actor := "pipeline (token " + made.Token.ID + ")"
	f.dues.more = []Due{
		{ID: "planted", Kind: "change", State: "pending", Actor: actor},
		{ID: "turns back", Kind: "revert", State: "pending", Actor: actor},
		{ID: "over", Kind: "change", State: "skipped", Actor: actor},
		{ID: "of another token", Kind: "change", State: "pending", Actor: "pipeline (token 00000000)"},
		{ID: "of a name that is like it", Kind: "change", State: "pending", Actor: actor + " (slack)"},
	}
	f.settings.stored = setting.InJournal
	revoked := decode[RevokedToken](t, f.ask(http.MethodDelete, base+"/tokens/"+made.Token.ID, ""), http.StatusOK)
	if len(revoked.Due) != 2 || revoked.Due[0].ID != "planted" || revoked.Due[1].ID != "turns back" {
		t.Errorf("it lists %+v", revoked.Due)
	}
	if revoked.Stored != InJournal || !strings.Contains(revoked.Note, "each of them") || !strings.Contains(revoked.Note, "still waits goes on") {
		t.Errorf("got %+v", revoked)
	}
	if f.dues.cancelled != "" {
		t.Errorf("%s was cancelled", f.dues.cancelled)
	}
}

func TestTokens_ARevocationThatAlwaysMeetsAnotherIsAConflict(t *testing.T) {
	f := newFixture(t)
	made := decode[IssuedToken](t, f.ask(http.MethodPost, base+"/tokens", `{"name": "pipeline", "role": "operator"}`), http.StatusCreated)
	f.settings.fails = &setting.ConflictError{Current: setting.Version{Key: token.Key(made.Token.ID), Number: 9, Value: json.RawMessage("{}")}}
	problemIn(t, f.ask(http.MethodDelete, base+"/tokens/"+made.Token.ID, ""), http.StatusConflict, kindConflict)
}

func TestConfirm(t *testing.T) {
	f := newFixture(t)
	const body = `{"how": "refill", "reason": "set up anew"}`
	problemIn(t, f.ask(http.MethodPost, base+"/store/confirm", body), http.StatusConflict, kindConflict)
	f.confirmer.open = true
	if s := decode[Store](t, f.ask(http.MethodPost, base+"/store/confirm", body), http.StatusOK); s.Kind != "sqlite" || f.confirmer.how != Refill {
		t.Errorf("got %+v, told %q", s, f.confirmer.how)
	}
}

func TestAPanicEndsOneRequestOnly(t *testing.T) {
	f := newFixture(t)
	f.door.panics = true
	problemIn(t, f.ask(http.MethodGet, base+"/status", ""), http.StatusInternalServerError, kindInternal)
	if w := f.ask(http.MethodGet, base+"/levers", ""); w.Code != http.StatusOK {
		t.Errorf("the next request: %d", w.Code)
	}
}

// TestEveryRoleMayWhatItMay asks for everything as everybody.
func TestEveryRoleMayWhatItMay(t *testing.T) {
	probe := newFixture(t)
	for _, o := range operationsOf(probe) {
		for _, role := range token.Roles() {
			t.Run(o.id+" as "+string(role), func(t *testing.T) {
				if o.id == "follow-events" && role.May(o.role) {
					return // a stream has no end; its own tests open it
				}
				f := newFixture(t)
				r := httptest.NewRequestWithContext(t.Context(), o.method, base+strings.NewReplacer("{", "", "}", "").Replace(o.path), strings.NewReader("{}"))
				r.Header.Set("Authorization", "Bearer "+f.tokens[role])
				r.Header.Set("Content-Type", "application/json")
				w := f.do(r)
				if role.May(o.role) {
					if w.Code == http.StatusForbidden || w.Code == http.StatusUnauthorized {
						t.Errorf("%d %s", w.Code, w.Body)
					}
					return
				}
				if p := problemIn(t, w, http.StatusForbidden, kindRole); p.Needs != string(o.role) || !strings.Contains(p.Detail, string(role)) {
					t.Errorf("got %+v", p)
				}
			})
		}
	}
}

// operationsOf returns what the API is made of.
func operationsOf(f *fixture) []operation {
	a := build(Options{
		Door: f.door, Levers: f.levers, Dues: f.dues, Tokens: f.keeper, Confirmer: f.confirmer,
		Events: f.events, Gate: f.gate,
	})
	return a.operations
}
