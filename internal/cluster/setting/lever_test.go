package setting

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

var (
	paused = Lever{Pattern: "origins.NAME.paused", Kind: Boolean, Default: false}
	flight = Lever{Pattern: "origins.NAME.max_in_flight", Kind: Integer, Unit: "requests", Min: 0, Max: 1000, Default: int64(0)}
	budget = Lever{Pattern: "origins.NAME.retry.budget.percent", Kind: Percent, Unit: "%", Min: 0, Max: 100, Default: int64(20)}
	level  = Lever{Pattern: "log.level", Kind: Word, Words: []string{"debug", "info"}, Default: "info"}
	state  = Lever{Pattern: "origins.NAME.servers[ADDR].state", Kind: Word, Words: []string{"up", "drain"}, Default: "up"}
	site   = Lever{Pattern: "sites[HOST].maintenance", Kind: Boolean, Default: false}
)

func TestLever_Parse(t *testing.T) {
	tests := []struct {
		name  string
		lever Lever
		text  string
		want  string // "": refused
	}{
		{"on is true", paused, " On ", "true"},
		{"no is false", paused, "no", "false"},
		{"a number is no truth", paused, "1", ""},
		{"a number", flight, "100", "100"},
		{"the smallest", flight, "0", "0"},
		{"the largest", flight, "1000", "1000"},
		{"one more", flight, "1001", ""},
		{"one less", flight, "-1", ""},
		{"leading zeros go", flight, "007", "7"},
		{"a fraction", flight, "1.5", ""},
		{"a number beyond all", flight, "99999999999999999999", ""},
		{"a percent with its sign", budget, "30 %", "30"},
		{"a percent without", budget, "30", "30"},
		{"a sign where none belongs", flight, "30%", ""},
		{"a word in capitals", level, "DEBUG", `"debug"`},
		{"a word that is none", level, "loud", ""},
		{"nothing", level, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.lever.Parse(tt.text)
			if string(got) != tt.want || (err == nil) != (tt.want != "") {
				t.Fatalf("%q gives %s, %v", tt.text, got, err)
			}
			var wrong *ValueError
			if err != nil && (!errors.As(err, &wrong) || wrong.Lever.Pattern != tt.lever.Pattern || !strings.Contains(err.Error(), "want ")) {
				t.Errorf("the error does not say what is wanted: %v", err)
			}
		})
	}
}

func TestLever_ChecksJSON(t *testing.T) {
	for _, good := range []struct {
		lever Lever
		value string
	}{{paused, "true"}, {flight, "5"}, {budget, "100"}, {level, `"info"`}} {
		if err := good.lever.Check(json.RawMessage(good.value)); err != nil {
			t.Errorf("%s: %v", good.value, err)
		}
	}
	for _, bad := range []struct {
		lever Lever
		value string
	}{{paused, `"true"`}, {paused, "null"}, {flight, `"5"`}, {flight, "5.0"}, {flight, "1e2"}, {flight, "[5]"}, {level, "info"}, {level, `"INFO"`}, {level, "{}"}} {
		if err := bad.lever.Check(json.RawMessage(bad.value)); err == nil {
			t.Errorf("%s %s is taken", bad.lever.Kind, bad.value)
		}
	}
	if err := flight.Check(nil); err != nil {
		t.Errorf("a reset: %v", err)
	}
	if err := paused.Check(json.RawMessage(`"maybe"`)); err == nil || err.Error() != `"maybe" will not do: want true or false` {
		t.Errorf("a word is shown as %v", err)
	}
}

func TestLever_DecodesWhatItParsed(t *testing.T) {
	if !paused.Bool(value("true")) || paused.Bool(value("false")) || flight.Int(value("7")) != 7 || budget.Int(value("30")) != 30 || level.Word(value(`"debug"`)) != "debug" {
		t.Error("a value became another one")
	}
}

func TestRegistry_Find(t *testing.T) {
	r := NewRegistry(paused, flight, budget, level, state, site)
	tests := []struct{ name, pattern, args string }{
		{"origins.booking.paused", paused.Pattern, "booking"},
		{"origins.a.b.paused", paused.Pattern, "a.b"},
		{"origins.paused.paused", paused.Pattern, "paused"},
		{"origins.booking.servers[10.0.0.11:8080].state", state.Pattern, "booking 10.0.0.11:8080"},
		{"origins.booking.servers[[::1]:80].state", state.Pattern, "booking [::1]:80"},
		{"origins.booking.servers[unix:/run/a.sock].state", state.Pattern, "booking unix:/run/a.sock"},
		{"sites[*.example.org].maintenance", site.Pattern, "*.example.org"},
		{"log.level", level.Pattern, ""},
		{"log.levels", "", ""},
		{"xlog.level", "", ""},
		{"logxlevel", "", ""},
		{"origins..paused", "", ""},
		{"sites[].maintenance", "", ""},
		{"", "", ""},
	}
	for _, tt := range tests {
		l, args, ok := r.Find(tt.name)
		if ok != (tt.pattern != "") || l.Pattern != tt.pattern || strings.Join(args, " ") != tt.args {
			t.Errorf("%s: %t %s %q", tt.name, ok, l.Pattern, args)
		}
		if ok && l.Name(args...) != tt.name {
			t.Errorf("%s became %s", tt.name, l.Name(args...))
		}
	}
	if len(r.Levers()) != 6 {
		t.Errorf("%d levers", len(r.Levers()))
	}
}

func TestRegistry_SaysWhatIsWrong(t *testing.T) {
	r := NewRegistry(flight)
	var unknown *UnknownKeyError
	if _, err := r.Parse("origins.x.max", "1"); !errors.As(err, &unknown) || unknown.Key != "origins.x.max" {
		t.Errorf("an unknown lever: %v", err)
	}
	if err := r.Check("nothing", nil); !errors.As(err, &unknown) {
		t.Errorf("an unknown lever: %v", err)
	}
	var wrong *ValueError
	if err := r.Check("origins.x.max_in_flight", value("-1")); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "a whole number from 0 to 1000") {
		t.Errorf("a value out of bounds: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("two levers of one pattern are taken")
		}
	}()
	NewRegistry(flight, flight)
}

func FuzzLever_Parse(f *testing.F) {
	for _, text := range []string{"on", "100", "30 %", "debug", "\xff", "٣", "0x10", "+5", "1_000"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range []Lever{paused, flight, budget, level} {
			v, err := l.Parse(text)
			if err != nil {
				if len(err.Error()) > 500 {
					t.Errorf("an error of %d bytes", len(err.Error()))
				}
				continue
			}
			if err := l.Check(v); err != nil || !json.Valid(v) {
				t.Errorf("%q gave %s, which is refused: %v", text, v, err)
			}
			if again, err := l.Parse(strings.Trim(string(v), `"`)); err != nil || string(again) != string(v) {
				t.Errorf("%s became %s, %v", v, again, err)
			}
		}
	})
}
