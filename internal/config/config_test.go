package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

func environment(name string) (string, bool) {
	switch name {
	case "SERVER":
		return "http://10.0.0.7:8080", true
	case "TWICE":
		return "${SERVER}", true
	}
	return "", false
}

func TestParse_GoodFilesLoad(t *testing.T) {
	for _, file := range glob(t, "testdata/*.good.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if _, _, err := Parse(filepath.Base(file), "/etc/evergate", read(t, file), environment); err != nil {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestParse_BadFilesSayEverythingThatIsWrong(t *testing.T) {
	for _, file := range glob(t, "testdata/*.bad.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, _, err := Parse(filepath.Base(file), "/etc/evergate", read(t, file), environment)
			var problems *Problems
			if !errors.As(err, &problems) {
				t.Fatalf("error is %v, want *Problems", err)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			got := err.Error() + "\n"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := string(read(t, golden)); got != want {
				t.Errorf("problems:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestParse_FillsDefaultsAndPaths(t *testing.T) {
	c, warnings, err := Parse("f", "/srv/door", read(t, "testdata/small.good.yaml"), environment)
	if err != nil || len(warnings) != 0 {
		t.Fatal(err, warnings)
	}
	o := c.Origins["shop"]
	if o.Retry.Attempts != 3 || o.Retry.Timeout.D() != time.Minute || len(o.Retry.Statuses) != 3 || o.Servers[0].Weight != 1 {
		t.Errorf("defaults of the origin: %+v", o)
	}
	if c.Node.DataDir != "/srv/door/evergate-data" || c.Replay.SpillDir != "/srv/door/evergate-data/spill" || c.Log.Access.File != "stdout" {
		t.Errorf("paths: %q, %q, %q", c.Node.DataDir, c.Replay.SpillDir, c.Log.Access.File)
	}
	if r := c.Sites[0].Routes[0]; r.Name != "/*" {
		t.Errorf("route name %q, want its path", r.Name)
	}
}

func TestParse_ExpandsTheEnvironmentOnce(t *testing.T) {
	file := strings.Replace(string(read(t, "testdata/small.good.yaml")), "http://127.0.0.1:3001", "${SERVER}", 1)
	c, _, err := Parse("f", "/", []byte(file), environment)
	if err != nil || c.Origins["shop"].Servers[0].URL != "http://10.0.0.7:8080" {
		t.Errorf("server %v, error %v", c, err)
	}
	file = strings.Replace(file, "${SERVER}", "${TWICE}", 1)
	if _, _, err := Parse("f", "/", []byte(file), environment); err == nil {
		t.Error("a value that came out of an expansion was expanded again")
	}
}

func TestParse_WarnsOfRetriesThatMayApplyTwice(t *testing.T) {
	file := strings.Replace(string(read(t, "testdata/small.good.yaml")), "shop:\n", "shop:\n    retry: {non_idempotent: [status]}\n", 1)
	_, warnings, err := Parse("f", "/", []byte(file), environment)
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].Message, "applied twice") {
		t.Errorf("warnings %v, error %v", warnings, err)
	}
}

func TestRetryFor_TakesTheRoutesOwnSettings(t *testing.T) {
	c, _, err := Parse("f", "/", read(t, "testdata/full.good.yaml"), environment)
	if err != nil {
		t.Fatal(err)
	}
	r := c.RetryFor(c.Sites[0].Routes[1])
	if r.IdempotencyKey != "accept" || r.Attempts != 5 || r.Budget.Percent != 20 {
		t.Errorf("retry of the route: %+v", r)
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range glob(f, "testdata/*.yaml") {
		f.Add(read(f, file))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, _, err := Parse("f", "/d", data, environment)
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v with error %v", c, err)
		}
		if err != nil {
			return
		}
		for _, s := range c.Sites {
			if len(s.Hosts) == 0 || len(s.Routes) == 0 {
				t.Error("a site without hosts or routes")
			}
			for _, r := range s.Routes {
				if r.Name == "" || (r.Origin != "" && c.Origins[r.Origin] == nil) {
					t.Errorf("route %+v", r)
				}
			}
		}
		for _, o := range c.Origins {
			if len(o.Servers) == 0 || o.Retry.Attempts < 1 {
				t.Errorf("origin %+v", o)
			}
		}
		if !filepath.IsAbs(c.Node.DataDir) || !filepath.IsAbs(c.Replay.SpillDir) {
			t.Errorf("relative paths: %q, %q", c.Node.DataDir, c.Replay.SpillDir)
		}
	})
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	return files
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
