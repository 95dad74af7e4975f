package server

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/token"
)

// TestAPI_OnlyThoseMayWhoMay tries each operation as everybody there is. Who may is
// written down here once more, so that a role that slips in the code is seen.
func TestAPI_OnlyThoseMayWhoMay(t *testing.T) {
	app := backend(t, "x")
	d := open(t, newDir(t), minimal(app.URL, ""))
	local := d.socketOperator()
	all, _ := local.operations(t)
	need := map[token.Role][]string{
		token.Viewer: {
			"get-status", "get-config", "list-sites", "list-origins", "get-origin", "get-server", "list-levers", "get-lever",
			"get-lever-history", "list-due", "get-store", "follow-events",
		},
		token.Operator: {"set-lever", "reset-lever", "drain-server", "disable-server", "enable-server", "cancel-due", "reload"},
		token.Admin:    {"list-tokens", "create-token", "revoke-token", "confirm-store"},
	}
	needs := map[string]token.Role{}
	for role, ids := range need {
		for _, id := range ids {
			needs[id] = role
		}
	}

	issue := func(role token.Role, expires time.Time) (id, secret string) {
		t.Helper()
		made, secret, err := d.server.tokens.Create(t.Context(), "test", role, expires, "root")
		if err != nil {
			t.Fatal(err)
		}
		return made.ID, secret
	}
	lasting := func(role token.Role) string { _, secret := issue(role, time.Time{}); return secret }
	gone, revoked := issue(token.Admin, time.Time{})
	if _, err := d.server.tokens.Revoke(t.Context(), gone, "root", "lost"); err != nil {
		t.Fatal(err)
	}
	over, expired := issue(token.Admin, time.Now().Add(50*time.Millisecond))
	waitFor(t, "the token to be over", func() bool { return !d.server.tokens.Valid(over) })

	const told, forbidden, unknown = "may", "403", "401"
	callers := []struct {
		name, token         string
		read, change, admin string
		why                 string // in the answers of those who are unknown
	}{
		{"nobody", "", unknown, unknown, unknown, "a token is needed"},
		{"a viewer", lasting(token.Viewer), told, forbidden, forbidden, ""},
		{"an auditor", lasting(token.Auditor), told, forbidden, forbidden, ""},
		{"an operator", lasting(token.Operator), told, told, forbidden, ""},
		{"an admin", lasting(token.Admin), told, told, told, ""},
		{"a token that is over", expired, unknown, unknown, unknown, "is over since"},
		{"a token that was revoked", revoked, unknown, unknown, unknown, "does not exist"},
	}
	drive := &driver{server: strings.TrimPrefix(app.URL, "http://"), due: "none", token: "none", version: "0"}
	for _, caller := range callers {
		t.Run(caller.name, func(t *testing.T) {
			o := &operator{base: "http://" + d.addr.Admin, client: &http.Client{Transport: &http.Transport{}}, token: caller.token}
			for id, op := range all {
				want, known := map[token.Role]string{token.Viewer: caller.read, token.Operator: caller.change, token.Admin: caller.admin}[needs[id]]
				if !known {
					t.Errorf("nobody has said who may %s", id)
				}
				body := ""
				if op.method == http.MethodPost || op.method == http.MethodPut {
					body = "{" // who may is told what is wrong with it
				}
				resp, answer := o.do(t, op.method, drive.path(op), body)
				got := told
				switch resp.StatusCode {
				case http.StatusForbidden:
					got = forbidden
				case http.StatusUnauthorized:
					got = unknown
				case http.StatusTooManyRequests: // a wrong token was tried too often
					got = unknown
				}
				if got != want {
					t.Errorf("%s: %d, want %s", id, resp.StatusCode, want)
				}
				if got == unknown && resp.StatusCode == http.StatusUnauthorized && !bytes.Contains(answer, []byte(caller.why)) {
					t.Errorf("%s: %s, want %q", id, answer, caller.why)
				}
				if got == forbidden && !bytes.Contains(answer, []byte(`"needs":"`+needs[id]+`"`)) {
					t.Errorf("%s: the answer does not say that it needs %s: %s", id, needs[id], answer)
				}
			}
		})
	}
	for id := range needs {
		if _, there := all[id]; !there {
			t.Errorf("the document has no operation %s", id)
		}
	}
}
