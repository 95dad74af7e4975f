package chat

import (
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/token"
)

var setLever = Lever{
	Name: "origins.booking.max_in_flight", Value: "100", File: "200", Set: true, Version: 3, Actor: "ada", Reason: "the database is slow",
	Since: start.Add(-time.Hour), Reverts: start.Add(26 * time.Hour), Doc: "The most requests that the origin has under way.",
}

func TestReplies(t *testing.T) {
	plain := Lever{Name: "log.level", Value: "info", File: "info"}
	ada := &person{actor: "ada", role: token.Operator}
	tests := []struct {
		name string
		got  answer
		want string // text, and below a line the table
	}{
		{"a status with trouble", statusAnswer(Status{
			Node: "door-1", Version: "1.2.3", Phase: "serving", Uptime: 90 * time.Second, At: start, Store: "The store cannot be reached.",
			Conditions: []Condition{
				{Name: "store", Severity: "error", Since: start.Add(-5 * time.Minute), Summary: "PostgreSQL refuses connections; start it."},
				{Name: "certificates", Severity: "warning", Since: start.Add(-48 * time.Hour), Summary: "book.example.org ends in 3 days."},
			},
			Overrides: []Lever{setLever},
		}), `door-1 is serving. Evergate 1.2.3, up 1m30s.
The store cannot be reached.
Not well: 2.
Levers that are set: 1.
As of 07:00:00 UTC.
----
error    store         since 06:55 UTC         PostgreSQL refuses connections; start it.
warning  certificates  since 6 June 07:00 UTC  book.example.org ends in 3 days.

origins.booking.max_in_flight  100  file: 200  by ada since 06:00 UTC, until 9 June 09:00 UTC`},
		{"levers that are set", leversAnswer([]Lever{plain, setLever}, "", start), `1 of 2 levers are set:
----
origins.booking.max_in_flight  100  file: 200  by ada since 06:00 UTC, until 9 June 09:00 UTC`},
		{"levers by a part of their name, in any case", leversAnswer([]Lever{plain, setLever}, "L", start), `2 of 2 levers:
----
log.level                      info
origins.booking.max_in_flight  100   file: 200  by ada since 06:00 UTC, until 9 June 09:00 UTC`},
		{"levers by a part that none has", leversAnswer([]Lever{plain}, "zz", start), `No lever has "zz" in its name. There are 1.`},
		{"a lever that is set", leverAnswer(setLever, start), `origins.booking.max_in_flight is 100.
Set by ada since 06:00 UTC, until 9 June 09:00 UTC. Reason: the database is slow
The configuration file says 200.
The most requests that the origin has under way.`},
		{"a lever that is not", leverAnswer(plain, start), `log.level is info.
That is the value of the configuration file; nobody has set another.`},
		{"an origin that is none", originsAnswer([]Origin{{Name: "a"}, {Name: "b"}}, "c"), `There is no origin "c". There are: a, b.`},
		{"no origins", originsAnswer(nil, ""), `The configuration has no origins.`},
		{"origins", originsAnswer([]Origin{
			{Name: "booking", Paused: true, InFlight: 7, Servers: []Server{{Address: "10.0.0.11:8080", State: "up", Health: "healthy", InFlight: 7, Weight: 1}, {Address: "unix:/run/b", State: "drain", Health: "failing", Weight: 10}}},
			{Name: "static"},
		}, ""), `2 origins and their servers:
----
booking           paused                      7 in flight
  10.0.0.11:8080  up      healthy  weight 1   7 in flight
  unix:/run/b     drain   failing  weight 10  0 in flight
static                                        0 in flight`},
		{"one origin", originsAnswer([]Origin{{Name: "booking"}, {Name: "static"}}, "STATIC"), `The origin and its servers:
----
static        0 in flight`},
		{"a reset of a lever", changedAnswer(command{verb: reset, reason: "it is over"}, ada, setLever, start, Changed{Lever: Lever{Name: setLever.Name, Value: "200"}}),
			`ada has reset origins.booking.max_in_flight: it was 100 and is 200 again, as the configuration file says.
Reason: it is over`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.got.text
			if tt.got.table != "" {
				got += "\n----\n" + tt.got.table
			}
			if got != tt.want {
				t.Errorf("is\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestTable_LeavesOutWhatNobodyReads(t *testing.T) {
	var rows [][]string
	for range 1000 {
		rows = append(rows, []string{strings.Repeat("x", 30), "1"})
	}
	got := table(rows)
	if len(got) > maxTable+100 || !strings.HasSuffix(got, "more; the command line shows all") {
		t.Errorf("%d bytes that end with %q", len(got), got[len(got)-60:])
	}
}

func TestHelp_ShowsARoleWhatItMayDo(t *testing.T) {
	for role, change := range map[token.Role]bool{token.Viewer: false, token.Auditor: false, token.Operator: true, token.Admin: true} {
		if shown := strings.Contains(helpAnswer(&person{role: role}).table, "set LEVER VALUE"); shown != change {
			t.Errorf("help shows set to %s: %t", role, shown)
		}
	}
}
