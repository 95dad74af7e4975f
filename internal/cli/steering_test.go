package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
)

// steering is what would move a cursor, colour a screen or turn a direction.
const steering = "\x1b[31m\u009b2J\u202e\u200b\a"

// spoiled is v, as an API would send it that wants to steer the terminal of whoever
// asks: with steering in every text but times.
func spoiled(t *testing.T, v any) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	var spoil func(v any) any
	spoil = func(v any) any {
		switch v := v.(type) {
		case string:
			if _, err := time.Parse(time.RFC3339, v); err == nil {
				return v
			}
			return v + steering
		case []any:
			for i := range v {
				v[i] = spoil(v[i])
			}
		case map[string]any:
			for key := range v {
				v[key] = spoil(v[key])
			}
		}
		return v
	}
	text, err = json.Marshal(spoil(tree))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestCommands_ShowNothingThatSteersATerminal(t *testing.T) {
	const lever = "origins.booking.max_in_flight"
	replies := answers()
	for question, answer := range replies {
		if answer.body != nil && answer.events == nil {
			answer.body = spoiled(t, answer.body)
			replies[question] = answer
		}
	}
	now := sampleLevers()[1]
	now.Actor, now.Reason = "bob"+steering, steering
	replies["PUT levers/origins.booking.paused"] = reply{body: &api.Problem{Status: 409, Title: "x" + steering, Detail: "y" + steering, Current: &now,
		Errors: []api.FieldError{{Location: steering, Message: steering}}, Nearest: []string{steering}}}
	replies["GET levers/none"] = reply{body: &api.Problem{Status: 404, Title: "x" + steering, Detail: "y" + steering, Nearest: []string{"z" + steering}}}
	replies["POST reload"] = reply{body: &api.RefusedReload{Problem: api.Problem{Status: 422, Detail: steering},
		Reload: api.Reload{Config: "c" + steering, Problems: []string{steering}, Warnings: []string{steering}, Levers: []string{steering}}}}
	why := []string{"--reason", "x"}
	for _, args := range [][]string{
		{"status"}, {"origins"}, {"sites"}, {"levers"}, {"levers", "--set"}, {"lever", "get", lever}, {"lever", "get", "none"}, {"lever", "history", lever},
		append([]string{"lever", "set", lever, "100"}, why...), append([]string{"lever", "set", "origins.booking.paused", "true"}, why...),
		append([]string{"lever", "reset", lever}, why...), append([]string{"server", "drain", "booking", "10.0.0.12:8080"}, why...),
		{"due", "list"}, {"token", "list"}, {"token", "create", "deploy-pipeline"}, append([]string{"token", "revoke", "4k9x2m7qra"}, why...),
		{"store", "status"}, {"reload"}, {"config", "show"},
	} {
		f := newFakeAPI(t, replies)
		_, stdout, stderr := f.run(args...)
		if stdout+stderr == "" {
			t.Errorf("%s printed nothing", args)
		}
		for _, r := range []rune(steering) {
			if r < ' ' || r > '~' {
				if i := strings.IndexRune(stdout+stderr, r); i >= 0 {
					t.Errorf("%s shows %U:\n%q", args, r, stdout+stderr)
					break
				}
			}
		}
	}
}
