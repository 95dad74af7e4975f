package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestReason(t *testing.T) {
	tests := []struct {
		name, text, want string // want "": refused
	}{
		{"a sentence", "the campaign begins", "the campaign begins"},
		{"without the blanks around it", "  x ", "x"},
		{"in any language", "Kampagne \u00fcber Nacht \u6d3b\u52a8", "Kampagne \u00fcber Nacht \u6d3b\u52a8"},
		{"500 characters", strings.Repeat("\u00fc", 500), strings.Repeat("\u00fc", 500)},
		{"501 characters", strings.Repeat("x", 501), ""},
		{"nothing", " ", ""},
		{"two lines", "a\nb", ""},
		{"a tab", "a\tb", ""},
		{"what colours a terminal", "a\x1b[31mb", ""},
		{"what colours a terminal in one byte", "a\u009b31mb", ""},
		{"what turns the direction", "a\u202eb", ""},
		{"what isolates a direction", "a\u2066b", ""},
		{"a space without width", "a\u200bb", ""},
		{"a byte order mark", "a\ufeffb", ""},
		{"a hyphen that does not show", "a\u00adb", ""},
		{"a tag that does not show", "a\U000e0041b", ""},
		{"an end of a line", "a\u2028b", ""},
		{"an end of a paragraph", "a\u2029b", ""},
		{"bytes that are no text", "a\xffb", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := reason(tt.text)
			var invalid *InvalidError
			if got != tt.want || (tt.want == "") != errors.As(err, &invalid) {
				t.Errorf("%q, %v", got, err)
			}
			if err != nil && strings.ContainsFunc(err.Error(), unseen) {
				t.Errorf("the error has it too: %q", err)
			}
		})
	}
}

// TestTextsThatCannotBeSeenAreRefusedEverywhere sends one to every place that keeps
// a text.
func TestTextsThatCannotBeSeenAreRefusedEverywhere(t *testing.T) {
	const lever = base + "/levers/origins.booking.paused"
	for _, r := range []rune{'\u202e', '\u200b', '\x1b', 0, '\n', '\u2028'} {
		hidden, raw := fmt.Sprintf(`\u%04x`, r), url.QueryEscape(string(r))
		for _, ask := range []struct{ method, path, body string }{
			{http.MethodPut, lever, `{"value": true, "version": 0, "reason": "a` + hidden + `b"}`},
			{http.MethodPost, base + "/origins/booking/servers/10.0.0.11:8080/drain", `{"reason": "a` + hidden + `b"}`},
			{http.MethodPost, base + "/tokens", `{"role": "viewer", "name": "a` + hidden + `b"}`},
			{http.MethodPost, base + "/store/confirm", `{"how": "accept", "reason": "a` + hidden + `b"}`},
			{http.MethodDelete, lever + "?version=0&reason=a" + raw + "b", ""},
			{http.MethodDelete, base + "/due/d1?reason=a" + raw + "b", ""},
			{http.MethodDelete, base + "/tokens/4k9x2m7q?reason=a" + raw + "b", ""},
		} {
			f := newFixture(t)
			f.confirmer.open = true
			w := f.ask(ask.method, ask.path, ask.body)
			problemIn(t, w, http.StatusUnprocessableEntity, kindInvalid)
			if len(f.levers.changes) > 0 || f.dues.cancelled != "" || f.confirmer.how != "" {
				t.Errorf("%s %s %s: and yet it was done", ask.method, ask.path, ask.body)
			}
		}
	}
}
