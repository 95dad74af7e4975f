package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/admin/token"
)

func TestFaults(t *testing.T) {
	const (
		lever  = base + "/levers/origins.booking.max_in_flight"
		server = base + "/origins/booking/servers/10.0.0.11:8080"
	)
	long := strings.Repeat("x", 501)
	tests := []struct {
		name, method, path, body string
		status                   int
		kind                     string
		want                     []string // in the answer
	}{
		{"a path that is none", "GET", base + "/lever", "", 404, kindUnknown, []string{"/api/ lists"}},
		{"a method that the path does not take", "POST", lever, "", 405, kindMethod, []string{"this path takes DELETE, GET, HEAD, PUT"}},
		{"a mistyped lever", "GET", base + "/levers/origins.boking.max_in_fligth", "", 404, kindUnknown, []string{`did you mean origins.booking.max_in_flight?`, `"nearest":["origins.booking.max_in_flight"]`}},
		{"a lever that nobody can have meant", "GET", base + "/levers/zzz", "", 404, kindUnknown, []string{`there is no lever \"zzz\"`}},
		{"a mistyped lever's history", "GET", base + "/levers/origins.booking.pausd/history", "", 404, kindUnknown, []string{`"nearest":["origins.booking.paused"]`}},
		{"a mistyped lever that is set", "PUT", base + "/levers/origins.booking.pausd", `{"value": true, "version": 0, "reason": "x"}`, 404, kindUnknown, []string{`"nearest":["origins.booking.paused"]`}},
		{"a mistyped lever that is reset", "DELETE", base + "/levers/origins.booking.pausd?version=0&reason=x", "", 404, kindUnknown, []string{`"nearest":["origins.booking.paused"]`}},
		{"a mistyped origin", "GET", base + "/origins/bokking", "", 404, kindUnknown, []string{`"nearest":["booking"]`}},
		{"a server of a mistyped origin", "POST", base + "/origins/bokking/servers/10.0.0.11:8080/drain", `{"reason": "x"}`, 404, kindUnknown, []string{`"nearest":["booking"]`}},
		{"a mistyped server", "GET", base + "/origins/booking/servers/10.0.0.12:8080", "", 404, kindUnknown, []string{`"nearest":["10.0.0.11:8080"]`}},
		{"a mistyped server that is drained", "POST", base + "/origins/booking/servers/10.0.0.12:8080/drain", `{"reason": "x"}`, 404, kindUnknown, []string{`"nearest":["10.0.0.11:8080"]`}},
		{"one address of a name", "POST", base + "/origins/booking/servers/10.0.0.21:80/drain", `{"reason": "x"}`, 404, kindUnknown, []string{"one of the addresses of app.internal:80", `"nearest":["app.internal:80"]`}},
		{"a due change that is none", "DELETE", base + "/due/d2?reason=x", "", 404, kindUnknown, nil},
		{"a due change that waits no more", "DELETE", base + "/due/done?reason=x", "", 409, kindConflict, []string{"7 o'clock"}},
		{"a due change that is cancelled without a reason", "DELETE", base + "/due/d1", "", 422, kindInvalid, []string{`query.reason`}},
		{"a token that is none", "DELETE", base + "/tokens/0123456v", "", 404, kindUnknown, []string{"no such token"}},
		{"a token with an id that cannot be one", "DELETE", base + "/tokens/..", "", 404, kindUnknown, nil},

		{"a value out of bounds", "PUT", lever, `{"value": 2000, "version": 0, "reason": "x"}`, 422, kindInvalid, []string{`"min":1`, `"max":1000`, `"location":"body.value"`}},
		{"a value of the wrong type", "PUT", lever, `{"value": "many", "version": 0, "reason": "x"}`, 422, kindInvalid, []string{`"location":"body.value"`}},
		{"null as a value", "PUT", lever, `{"value": null, "version": 0, "reason": "x"}`, 422, kindInvalid, []string{"DELETE"}},
		{"no value", "PUT", lever, `{"version": 0, "reason": "x"}`, 422, kindInvalid, []string{`"location":"body.value"`, "missing"}},
		{"an old version", "PUT", lever, `{"value": 100, "version": 7, "reason": "x"}`, 409, kindConflict, []string{`"current":{"name":"origins.booking.max_in_flight"`}},
		{"an old version in a reset", "DELETE", lever + "?version=7&reason=x", "", 409, kindConflict, []string{`"current":{"name":"origins.booking.max_in_flight"`}},
		{"no version", "PUT", lever, `{"value": 100, "reason": "x"}`, 422, kindInvalid, []string{`"location":"body.version"`}},
		{"no version in a reset", "DELETE", lever + "?reason=x", "", 422, kindInvalid, []string{`"location":"query.version"`}},
		{"a version below nothing", "PUT", lever, `{"value": 100, "version": -1, "reason": "x"}`, 422, kindInvalid, []string{`"location":"body.version"`}},
		{"no reason", "PUT", lever, `{"value": 100, "version": 0}`, 422, kindInvalid, []string{`"location":"body.reason"`, "say why"}},
		{"an empty reason", "PUT", lever, `{"value": 100, "version": 0, "reason": ""}`, 422, kindInvalid, []string{`"location":"body.reason"`}},
		{"a reason of blanks", "PUT", lever, `{"value": 100, "version": 0, "reason": "  "}`, 422, kindInvalid, []string{`"location":"body.reason"`, "say why"}},
		{"a reason of two lines", "PUT", lever, `{"value": 100, "version": 0, "reason": "a\nb"}`, 422, kindInvalid, []string{"one line"}},
		{"a reason that is a book", "PUT", lever, `{"value": 100, "version": 0, "reason": "` + long + `"}`, 422, kindInvalid, []string{`"location":"body.reason"`}},
		{"a reset without a reason", "DELETE", lever + "?version=0", "", 422, kindInvalid, []string{`"location":"query.reason"`}},
		{"a server without a reason", "POST", server + "/drain", `{}`, 422, kindInvalid, []string{`"location":"body.reason"`}},
		{"a revert at no time", "PUT", lever, `{"value": 100, "version": 0, "reason": "x", "revert_after": "soon"}`, 422, kindInvalid, []string{`"location":"body.revert_after"`, "15m"}},
		{"a revert before now", "POST", server + "/drain", `{"reason": "x", "revert_after": "-1m"}`, 422, kindInvalid, []string{`"location":"body.revert_after"`}},
		{"a change in the past", "PUT", lever, `{"value": 100, "version": 0, "reason": "x", "at": "2020-01-01T00:00:00Z"}`, 422, kindInvalid, []string{`"location":"body.at"`}},
		{"a time that is none", "PUT", lever, `{"value": 100, "version": 0, "reason": "x", "at": "tomorrow"}`, 422, kindInvalid, []string{`"location":"body.at"`}},
		{"a member that is not known", "PUT", lever, `{"value": 100, "version": 0, "reason": "x", "reson": "y"}`, 422, kindInvalid, []string{`"location":"body.reson"`, "no such member"}},
		{"a query parameter that is not known", "GET", base + "/levers?limt=3", "", 422, kindInvalid, []string{`"location":"query.limt"`}},
		{"a limit that is too large", "GET", lever + "/history?limit=1000", "", 422, kindInvalid, []string{`"location":"query.limit"`}},
		{"a name that is too long", "GET", base + "/levers/" + long, "", 422, kindInvalid, []string{`"location":"path.name"`}},
		{"a role that is none", "POST", base + "/tokens", `{"name": "x", "role": "root"}`, 422, kindInvalid, []string{`"location":"body.role"`}},
		{"a token without a name", "POST", base + "/tokens", `{"role": "viewer"}`, 422, kindInvalid, []string{`"location":"body.name"`}},
		{"a token whose name has a line break", "POST", base + "/tokens", `{"name": "a\nb", "role": "viewer"}`, 422, kindInvalid, []string{`"location":"body.name"`}},
		{"a token that is over at once", "POST", base + "/tokens", `{"name": "x", "role": "viewer", "expires_in": "1s"}`, 422, kindInvalid, []string{`"location":"body.expires_in"`}},
		{"a way to confirm that is none", "POST", base + "/store/confirm", `{"how": "wipe", "reason": "x"}`, 422, kindInvalid, []string{`"location":"body.how"`}},

		{"no JSON", "PUT", lever, `{"value": 100`, 400, kindBody, []string{"no JSON"}},
		{"JSON that is no object", "PUT", lever, `[1]`, 422, kindInvalid, []string{`"location":"body"`}},
		{"no body", "PUT", lever, "", 400, kindBody, []string{"want a body"}},
		{"a body that is too large", "PUT", lever, `{"value": "` + strings.Repeat("x", maxBody) + `"}`, 413, kindTooLarge, []string{"64 KiB"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			w := f.ask(tt.method, tt.path, tt.body)
			problemIn(t, w, tt.status, tt.kind)
			for _, want := range tt.want {
				if !strings.Contains(w.Body.String(), want) {
					t.Errorf("%s lacks %s", w.Body, want)
				}
			}
			if len(f.levers.changes) > 0 {
				t.Errorf("and yet there was a change: %+v", f.levers.changes)
			}
		})
	}
}

func TestFaults_OfTheBodysForm(t *testing.T) {
	const body = `{"value": 100, "version": 0, "reason": "x"}`
	for name, tt := range map[string]struct {
		kind   string
		status int
	}{
		"the right type":               {"application/json", 200},
		"the right type in UTF-8":      {"application/json; charset=utf-8", 200},
		"a form":                       {"application/x-www-form-urlencoded", 415},
		"text, which pages may send":   {"text/plain", 415},
		"something that ends in +json": {"text/plain+json", 415},
		"none":                         {"", 415},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			r := f.request(http.MethodPut, base+"/levers/origins.booking.max_in_flight", body)
			r.Header.Del("Content-Type")
			if tt.kind != "" {
				r.Header.Set("Content-Type", tt.kind)
			}
			w := f.do(r)
			if tt.status == http.StatusOK {
				decode[Changed](t, w, tt.status)
				return
			}
			problemIn(t, w, tt.status, kindMediaType)
		})
	}
}

func TestFaults_ABodyOfUnknownLengthIsBoundedToo(t *testing.T) {
	f := newFixture(t)
	for _, tt := range []struct{ size, status int }{{maxBody, http.StatusUnprocessableEntity}, {maxBody + 1, http.StatusRequestEntityTooLarge}} {
		body := `{"value": 1, "version": 0, "reason": "`
		body += strings.Repeat("x", tt.size-len(body)-2) + `"}`
		r := f.request(http.MethodPut, base+"/levers/origins.booking.max_in_flight", body)
		r.ContentLength = -1
		if w := f.do(r); w.Code != tt.status {
			t.Errorf("%d bytes: %d %s", tt.size, w.Code, w.Body)
		}
	}
}

func TestFaults_AValueIsNotRepeatedToWhomeverReadsTheAnswer(t *testing.T) {
	f := newFixture(t)
	w := f.ask(http.MethodPost, base+"/tokens", `{"name": "x", "role": "evg_secret"}`)
	if strings.Contains(w.Body.String(), "evg_secret") {
		t.Error(w.Body)
	}
}

func TestFaults_OfWhatIsBehind(t *testing.T) {
	const body = `{"value": 100, "version": 0, "reason": "x"}`
	tests := []struct {
		name   string
		err    error
		status int
		kind   string
	}{
		{"neither store nor journal take it", fmt.Errorf("put: %w", &BusyError{Message: "the disk is full; make room", Err: errors.New("ENOSPC in /var/lib/secret")}), 503, kindBusy},
		{"something that nobody foresaw", errors.New("open /var/lib/secret: no such file"), 500, kindInternal},
		{"too many tokens", fmt.Errorf("keep: %w", token.ErrTooMany), 409, kindConflict},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.levers.fails = tt.err
			w := f.ask(http.MethodPut, base+"/levers/origins.booking.max_in_flight", body)
			problemIn(t, w, tt.status, tt.kind)
			if strings.Contains(w.Body.String(), "secret") {
				t.Errorf("the answer tells what only the log should: %s", w.Body)
			}
			if got := w.Header().Get("Retry-After"); (got != "") != (tt.status == http.StatusServiceUnavailable) {
				t.Errorf("Retry-After is %q", got)
			}
		})
	}
}

func TestKindsAreAllExplained(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range kinds {
		if seen[k.Name] || k.Meaning == "" || http.StatusText(k.Status) == "" {
			t.Errorf("%+v", k)
		}
		seen[k.Name] = true
		if got := kindOf(k.Status); !seen[got] && got == kindInternal {
			t.Errorf("of status %d it is known only that it is internal", k.Status)
		}
	}
}
