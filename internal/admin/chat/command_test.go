package chat

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       command
	}{
		{"nothing is a call for help", "", command{verb: help}},
		{"spaces are nothing", "  \u00a0 ", command{verb: help}},
		{"verbs are known in any case", "STATUS", command{verb: status}},
		{"the name of the command may be typed again", "/evergate status", command{verb: status}},
		{"also without its slash", "Evergate Status", command{verb: status}},
		{"levers may be looked for", "levers booking", command{verb: levers, name: "booking"}},
		{"origins may be named", "origins booking", command{verb: origins, name: "booking"}},
		{"a lever is got by name", "get origins.booking.paused", command{verb: get, name: "origins.booking.paused"}},
		{"the example of the guide", "set origins.booking.max_in_flight 100 for 15m because the database is slow",
			command{verb: set, name: "origins.booking.max_in_flight", value: "100", revert: 15 * time.Minute, reason: "the database is slow"}},
		{"a change without a time stays", "set log.level debug because we look for the cause",
			command{verb: set, name: "log.level", value: "debug", reason: "we look for the cause"}},
		{"words between are known in any case", "Set log.level debug For 2H Because why not",
			command{verb: set, name: "log.level", value: "debug", revert: 2 * time.Hour, reason: "why not"}},
		{"the reason may have because in it", "set log.level debug because it broke because of us",
			command{verb: set, name: "log.level", value: "debug", reason: "it broke because of us"}},
		{"a colon behind because is no part of the reason", "set log.level debug because: we look",
			command{verb: set, name: "log.level", value: "debug", reason: "we look"}},
		{"a time may be several words", "set log.level debug for 1 hour 30 minutes, because we look",
			command{verb: set, name: "log.level", value: "debug", revert: 90 * time.Minute, reason: "we look"}},
		{"a value with spaces stands in quotes", `set x "a b" because y`, command{verb: set, name: "x", value: "a b", reason: "y"}},
		{"quotes may be curly", "set x “a b” because y", command{verb: set, name: "x", value: "a b", reason: "y"}},
		{"and of other languages", "set x „a b“ because «y z»", command{verb: set, name: "x", value: "a b", reason: "y z"}},
		{"a value may be empty in quotes", `set x "" because y`, command{verb: set, name: "x", reason: "y"}},
		{"a value may be a word of the grammar in quotes", `set x "for" because y`, command{verb: set, name: "x", value: "for", reason: "y"}},
		{"spaces that do not break are spaces", "set\u00a0x\u202f1\u3000because\u00a0y", command{verb: set, name: "x", value: "1", reason: "y"}},
		{"what has no width is not there", "set \u200bx 1\ufeff because \u202ey", command{verb: set, name: "x", value: "1", reason: "y"}},
		{"lines are one line", "set x 1\nbecause y\r\nand z", command{verb: set, name: "x", value: "1", reason: "y  and z"}},
		{"an apostrophe stays", "set x 1 because it’s slow", command{verb: set, name: "x", value: "1", reason: "it’s slow"}},
		{"quotes in a reason stay", `set x 1 because "a" or "b"`, command{verb: set, name: "x", value: "1", reason: `"a" or "b"`}},
		{"a time in a quoted reason is a part of it", `set x 1 because "it is down for 15m"`, command{verb: set, name: "x", value: "1", reason: "it is down for 15m"}},
		{"a time behind the reason is a part of it if one stands before", "set x 1 for 2h because it is down for 15m",
			command{verb: set, name: "x", value: "1", revert: 2 * time.Hour, reason: "it is down for 15m"}},
		{"for in the middle of a reason is nothing special", "set x 1 because I wait for Bob", command{verb: set, name: "x", value: "1", reason: "I wait for Bob"}},
		{"a number behind for is no time without a unit", "set x 1 because we make room for 100", command{verb: set, name: "x", value: "1", reason: "we make room for 100"}},
		{"a lever is reset", "reset log.level because it is over", command{verb: reset, name: "log.level", reason: "it is over"}},
		{"a reset knows no time, so its reason may end with one", "reset x because it was on for 15m", command{verb: reset, name: "x", reason: "it was on for 15m"}},
		{"a server is drained", "drain booking 10.0.0.11:8080 for 1h because of its new kernel",
			command{verb: drain, name: "booking", server: "10.0.0.11:8080", revert: time.Hour, reason: "of its new kernel"}},
		{"a server is enabled", "enable booking [2001:db8::1]:80 because it is back", command{verb: enable, name: "booking", server: "[2001:db8::1]:80", reason: "it is back"}},
		{"a server is disabled", "disable booking unix:/run/b.sock because it is broken", command{verb: disable, name: "booking", server: "unix:/run/b.sock", reason: "it is broken"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parse(tt.text)
			if err != nil || got != tt.want {
				t.Errorf("parse(%q)\n is %+v, %v\nwant %+v", tt.text, got, err, tt.want)
			}
		})
	}
}

func TestParse_Refuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"an unknown verb", "restart everything", `There is no command "restart".`},
		{"an unknown verb in brief", strings.Repeat("x", 200), `no command "` + strings.Repeat("x", 40) + `..."`},
		{"more than a status takes", "status please", "more than the command takes: please"},
		{"more than get takes", "get a b", "more than the command takes: b"},
		{"get without a name", "get", "Something is missing. It goes: get LEVER"},
		{"set without a value", "set x because y", "Something is missing. It goes: set LEVER VALUE [for 15m] because REASON"},
		{"set without anything", "set", "Something is missing."},
		{"an empty name", `set "" 1 because y`, "Something is missing."},
		{"no reason", "set x 1", "A reason is missing"},
		{"no reason behind a time", "set x 1 for 15m", "A reason is missing"},
		{"an empty reason", "set x 1 because  ", "The reason is empty"},
		{"a reason of quotes", `set x 1 because "  "`, "The reason is empty"},
		{"a reason that is too long", "set x 1 because " + strings.Repeat("ä", 501), "has 501 characters, and 500 are the most"},
		{"a value of two words", "set x a b because y", `I did not understand "b".`},
		{"because in quotes", `set x 1 "because" y`, `I did not understand "because".`},
		{"for without a time", "set x 1 for because y", "After for comes a length of time"},
		{"a time without a unit", "set x 1 for 15 because y", `"15" is no length of time`},
		{"a time of nothing", "set x 1 for 0m because y", "no time at all"},
		{"a time that is negative", "set x 1 for -15m because y", `"-15m" is no length of time`},
		{"a time of parts of units", "set x 1 for 1.5h because y", `"1.5h" is no length of time`},
		{"a time beyond all", "set x 1 for 999999999d because y", "too long a time"},
		{"a time beyond numbers", "set x 1 for 99999999999999999999d because y", "no length of time"},
		{"a time behind the reason", "set x 1 because it burns for 15m", `Nothing was changed: "for 15m" stands behind the reason.`},
		{"a time behind the reason with a full stop", "drain booking a:1 because it burns, for 2 hours.", `Nothing was changed: "for 2 hours" stands behind the reason.`},
		{"a time of a reset", "reset x for 15m because y", "A reset stays"},
		{"a quote that is open", `set x "1 because y`, "A quote was opened and not closed"},
		{"a word glued to a quote", `set x "1"2 because y`, "After a closing quote comes a space"},
		{"a NUL", "set x 1\x00 because y", "control character (U+0000)"},
		{"an escape", "status \x1b[2J", "control character (U+001B)"},
		{"what is no UTF-8", "status \xff", "not UTF-8"},
		{"more than anybody types", "set x 1 because " + strings.Repeat("y", maxText), "too long"},
		{"drain without a server", "drain booking because y", "Something is missing. It goes: drain ORIGIN SERVER"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parse(tt.text)
			var refusal *Refusal
			if !errors.As(err, &refusal) || !strings.Contains(refusal.Text, tt.want) {
				t.Errorf("parse(%q) is %+v, %v\nwant an error with %q", tt.text, got, err, tt.want)
			}
		})
	}
}

func TestCommand_Lever(t *testing.T) {
	c := command{verb: drain, name: "booking", server: "10.0.0.11:8080"}
	if got, want := c.lever(), "origins.booking.servers[10.0.0.11:8080].state"; got != want {
		t.Errorf("lever of %s is %s, want %s", c, got, want)
	}
}

func TestUsage_HasEveryVerb(t *testing.T) {
	for _, u := range usage {
		if u.verb.form() != u.form {
			t.Errorf("form of %s is %q, want %q", u.verb, u.verb.form(), u.form)
		}
		word, _, _ := strings.Cut(u.form, " ")
		if _, err := parse(word); err != nil && strings.Contains(err.Error(), "There is no command") {
			t.Errorf("help shows %q, and parse does not know it", word)
		}
	}
}

// FuzzParse holds what others rely on: no command is half understood, and what is
// shown of one is the command that was understood.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "status", "levers a", "get x", "set x 1 for 1h30m because y", "set x “a b” because «c»", `set "for" "" because "because"`,
		"drain o [::1]:80 for 1 hour because x", "reset x because: y", "set x 1 because y for 15m", "enable \"a b\" c because \u00a0\u200b z", `set x 1 because "`, "/evergate evergate",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parse(text)
		if err != nil {
			if (c != command{}) {
				t.Fatalf("parse(%q) returns %+v with %v", text, c, err)
			}
			if refusal := (*Refusal)(nil); !errors.As(err, &refusal) || refusal.Text == "" {
				t.Fatalf("parse(%q): %v says nothing to who typed it", text, err)
			}
			return
		}
		if c.verb.form() == string(c.verb) && c.verb != status && c.verb != help {
			t.Fatalf("parse(%q) has the verb %q", text, c.verb)
		}
		if c.changes() {
			n := utf8.RuneCountInString(c.reason)
			if c.name == "" || n == 0 || n > maxReason || c.reason != strings.TrimSpace(c.reason) {
				t.Fatalf("parse(%q) is %+v", text, c)
			}
		}
		if c.revert < 0 || c.revert > maxRevert {
			t.Fatalf("parse(%q) reverts after %s", text, c.revert)
		}
		for _, r := range c.name + c.server + c.value + c.reason {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Z, r) && r != ' ' {
				t.Fatalf("parse(%q) lets %U through", text, r)
			}
		}
		if shown := c.String(); len(shown) <= maxText {
			if again, err := parse(shown); err != nil || again != c {
				t.Fatalf("parse(%q) is %+v, shown as %q, which is %+v, %v", text, c, shown, again, err)
			}
		}
	})
}
