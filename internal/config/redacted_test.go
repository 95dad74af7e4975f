package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRedacted_IsTheFileWithDefaultsAndWithoutSecrets(t *testing.T) {
	for _, name := range []string{"operators", "full", "redacted"} {
		c, _, err := understand(name+".good.yaml", "/etc/evergate", read(t, "testdata/"+name+".good.yaml"), environment, surroundings{secret: fileSays})
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := json.Indent(&got, c.Redacted(), "", "  "); err != nil {
			t.Fatalf("%s: %v: %s", name, err, c.Redacted())
		}
		got.WriteByte('\n')
		golden := filepath.Join("testdata", name+".redacted.json")
		if *update {
			if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want := read(t, golden); !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: got:\n%s\nwant:\n%s", name, got.Bytes(), want)
		}
		if tells(got.String()) {
			t.Errorf("%s shows a secret:\n%s", name, got.String())
		}
	}
}

// What is shown can be loaded again, except where a default has no use (in a route
// without an origin) and where "***" is no secret (that of a chat).
func TestRedacted_IsInTheNotationOfTheFile(t *testing.T) {
	for _, file := range glob(t, "testdata/*.good.yaml") {
		c, _, err := Parse("f", "/etc/evergate", read(t, file), environment)
		if err != nil {
			t.Fatal(err)
		}
		first := c.Redacted()
		if !json.Valid(first) || tells(string(first)) {
			t.Fatalf("%s: %s", file, first)
		}
		if c.Chat != nil || slices.ContainsFunc(c.Sites, func(s *Site) bool {
			return slices.ContainsFunc(s.Routes, func(r *Route) bool { return r.Origin == "" })
		}) {
			continue
		}
		again, _, err := Parse("f", "/etc/evergate", first, environment)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if second := again.Redacted(); !bytes.Equal(first, second) {
			t.Errorf("%s: first\n%s\nthen\n%s", file, first, second)
		}
	}
}

func TestRedacted_ShowsWhatLeversMadeOfTheFile(t *testing.T) {
	c := parse(t, string(read(t, "testdata/full.good.yaml"))).Clone()
	c.Origins["booking"].Servers[0].State, c.Origins["booking"].MaxInFlight.Origin, c.Log.Level = "maint", 77, "warn"
	for _, want := range []string{`"state":"maint"`, `"max_in_flight":{"origin":77,"server":200}`, `"log":{"level":"warn"`} {
		if got := string(c.Redacted()); !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
	data, err := json.Marshal(c)
	if err != nil || !bytes.Equal(data, c.Redacted()) {
		t.Errorf("marshalled: %s, %v", data, err)
	}
	new(Config).Redacted() // one that nobody loaded
}

func TestRedacted_ShowsTheDatabaseWithoutThePassword(t *testing.T) {
	tests := []struct{ name, text, shown string }{
		{"user and password", "postgres://door:hunter2@db.internal:5433/evergate", "postgres://door:***@db.internal:5433/evergate"},
		{"an encoded password", "postgresql://door:hunter2%40%2F%23@db/evergate", "postgresql://door:***@db/evergate"},
		{"several hosts", "postgres://door:hunter2@db1,db2:5433/evergate?target_session_attrs=read-write", "postgres://door:***@db1,db2:5433/evergate?target_session_attrs=read-write"},
		{"a password among the parameters", "postgres://db/evergate?user=door&password=hunter2&sslpassword=hunter2&sslmode=require", "postgres://db/evergate?user=door&sslmode=require"},
		{"a socket", "postgres:///evergate?host=/run/postgresql", "postgres:///evergate?host=/run/postgresql"},
		{"an IPv6 address", "postgres://door:hunter2@[::1]:5432/evergate", "postgres://door:***@[::1]:5432/evergate"},
		{"an unknown parameter", "postgres://db/evergate?options=hunter2", "postgres://db/evergate"},
		{"no password", "postgres://door@db/evergate", "postgres://door@db/evergate"},
		{"an empty password", "postgres://door:@db", "postgres://door:***@db"},
		{"a password with a slash", "postgres://door:1/hunter2@db/evergate", ""},
		{"a password with an at sign", "postgres://door:hunter2@x/hunter2@db/evergate", ""},
		{"a password with a sharp", "postgres://door:1#hunter2@db/evergate", ""},
		{"a password with a question mark", "postgres://door:1?hunter2@db/evergate", ""},
		{"another database", "mysql://door:hunter2@db/evergate", ""},
		{"no address at all", "host=db password=hunter2", ""},
		{"no host", "postgres:///evergate", ""},
		{"no slashes", "postgres:door:hunter2@db", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			shown, problem := databaseURL(tt.text)
			if shown != tt.shown || (problem == "") != (tt.shown != "") || tells(problem) {
				t.Errorf("shown %q, problem %q", shown, problem)
			}
		})
	}
}

func FuzzDatabaseURL(f *testing.F) {
	f.Add("hunter2", "evergate")
	f.Add("hunter2@x/", "a?b")
	f.Add("1#hunter2", "")
	f.Add("1?hunter2=", "x&y")
	f.Fuzz(func(t *testing.T, password, database string) {
		password = strings.ToLower(password)
		if !strings.Contains(password, marker) {
			return
		}
		shown, problem := databaseURL("postgres://door:" + password + "@db.internal/" + strings.ReplaceAll(database, marker, ""))
		if strings.Contains(shown, marker) || strings.Contains(problem, marker) {
			t.Errorf("password %q: shown %q, problem %q", password, shown, problem)
		}
	})
}
