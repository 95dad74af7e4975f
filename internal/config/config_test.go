package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
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
	case "PORT":
		return "8080", true
	case "SECRET":
		return "hunter2/of+the=environment", true
	case "TEAMS":
		return "aHVudGVyMiBvZiB0aGUgdGVhbXM=", true
	case "DATABASE":
		return "postgres://door:hunter2@db.internal/evergate", true
	case "EMPTY":
		return "", true
	}
	return "", false
}

func TestParse_GoodFilesLoadAndWarnOfRisks(t *testing.T) {
	for _, file := range glob(t, "testdata/*.good.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, warnings, err := Parse(filepath.Base(file), "/etc/evergate", read(t, file), environment)
			if err != nil {
				t.Fatal(err)
			}
			checkInvariants(t, c)
			compareGolden(t, file, warnings)
		})
	}
}

func TestParse_BadFilesSayEverythingThatIsWrong(t *testing.T) {
	for _, file := range glob(t, "testdata/*.bad.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, _, err := Parse(filepath.Base(file), "/etc/evergate", read(t, file), environment)
			var problems *Problems
			if c != nil || !errors.As(err, &problems) {
				t.Fatalf("config %v, error %v, want *Problems", c, err)
			}
			compareGolden(t, file, problems.List)
		})
	}
}

// compareGolden holds list, one in each line, against the .txt beside file; no
// list needs no .txt.
func compareGolden(t *testing.T, file string, list []Problem) {
	t.Helper()
	golden := strings.TrimSuffix(file, ".yaml") + ".txt"
	got := ""
	if len(list) > 0 {
		got = (&Problems{List: list}).Error() + "\n"
	}
	if *update {
		if got == "" {
			os.Remove(golden)
		} else if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil && got != "" {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestParse_SaysTheSameAtEveryRun(t *testing.T) {
	data := []byte("listen: {http: ':80'}\norigins: {b: &o {servers: ['x']}, a: *o, d: *o, c: *o}\nsites: []\n")
	_, _, first := Parse("f", "/", data, environment)
	for range 20 {
		if _, _, err := Parse("f", "/", data, environment); err.Error() != first.Error() {
			t.Fatalf("one run said\n%v\nanother\n%v", first, err)
		}
	}
}

func TestParse_FillsDefaultsAndPaths(t *testing.T) {
	c, warnings, err := Parse("f", "/srv/door", read(t, "testdata/small.good.yaml"), environment)
	if err != nil || len(warnings) != 0 {
		t.Fatal(err, warnings)
	}
	if c.Node.DataDir != "/srv/door/evergate-data" || c.Replay.SpillDir != "/srv/door/evergate-data/spill" || c.Log.Access.File != "stdout" {
		t.Errorf("paths: %q, %q, %q", c.Node.DataDir, c.Replay.SpillDir, c.Log.Access.File)
	}
	if r := c.Sites[0].Routes[0]; r.Name != "/*" {
		t.Errorf("route name %q, want its path", r.Name)
	}
	if c.Sites[0].Pages != &c.Pages {
		t.Error("a site without pages has not those of the file")
	}
}

func TestParse_CountsPathsFromTheFileExceptWords(t *testing.T) {
	c := parse(t, `
node: {data_dir: var}
listen: {https: ":8443"}
tls: {files: [{cert: a.pem, key: /keys/a.key}], client_certs: {mode: request, ca: ca.pem}}
log: {access: {file: "off"}}
replay: {spill_dir: spool}
pages: {template: page.html}
origins:
  o: {servers: ["unix:run/app.sock", "https://b"], tls: {ca: b.pem, cert: c.pem, key: c.key}}
sites:
  - {hosts: [a.example], pages: {template: own.html}, routes: [{path: /*, origin: o}]}
  - {hosts: [b.example], pages: {}, routes: [{path: /*, origin: o}]}
`)
	for got, want := range map[string]string{
		c.Node.DataDir:                "/d/var",
		c.TLS.Files[0].Cert:           "/d/a.pem",
		c.TLS.Files[0].Key:            "/keys/a.key",
		c.TLS.ClientCerts.CA:          "/d/ca.pem",
		c.Log.Access.File:             "off",
		c.Replay.SpillDir:             "/d/spool",
		c.Origins["o"].Servers[0].URL: "unix:/d/run/app.sock",
		c.Origins["o"].TLS.CA:         "/d/b.pem",
		c.Sites[0].Pages.Template:     "/d/own.html",
		c.Sites[1].Pages.Template:     "/d/page.html",
	} {
		if got != want {
			t.Errorf("path %q, want %q", got, want)
		}
	}
}

func TestParse_BringsNamesToTheFormThatRequestsHave(t *testing.T) {
	c := parse(t, `
listen: {http: ":8080"}
origins:
  o: {servers: ["http://Bücher.Example"], host: "Café.example:8080", health: {active: {host: A.example}}}
sites:
  - hosts: [Bücher.Example, "*.A.Example.", "::1"]
    routes: [{path: /*, origin: o, methods: [get], compress: {types: [Text/*]}}]
`)
	o, s := c.Origins["o"], c.Sites[0]
	got := []string{o.Servers[0].URL, o.Host, o.Health.Active.Host, s.Hosts[0], s.Hosts[1], s.Hosts[2], s.Routes[0].Methods[0], s.Routes[0].Compress.Types[0]}
	want := []string{"http://xn--bcher-kva.example:80", "xn--caf-dma.example:8080", "a.example", "xn--bcher-kva.example", "*.a.example", "[::1]", "GET", "text/*"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
}

func TestParse_ExpandsTheEnvironmentOnce(t *testing.T) {
	file := string(read(t, "testdata/small.good.yaml"))
	load := func(server string) (*Config, error) {
		c, _, err := Parse("f", "/", []byte(strings.Replace(file, "http://127.0.0.1:3001", server, 1)), environment)
		return c, err
	}
	if c, err := load("${SERVER}"); err != nil || c.Origins["shop"].Servers[0].URL != "http://10.0.0.7:8080" {
		t.Errorf("server %v, error %v", c, err)
	}
	if c, err := load("http://10.0.0.8:${PORT}"); err != nil || c.Origins["shop"].Servers[0].URL != "http://10.0.0.8:8080" {
		t.Errorf("server %v, error %v", c, err)
	}
	if _, err := load("${TWICE}"); err == nil {
		t.Error("a value that came out of an expansion was expanded again")
	}
	c := parse(t, "listen: {http: ':80'}\nsites: [{hosts: ['*'], routes: [{path: /*, respond: {body: 'a $${SERVER} ${1} $5 $$ b'}}]}]")
	if got := c.Sites[0].Routes[0].Respond.Body; got != "a ${SERVER} ${1} $5 $$ b" {
		t.Errorf("body %q", got)
	}
}

func TestParse_TellsNothingThatTheEnvironmentHolds(t *testing.T) {
	secret := func(string) (string, bool) { return "http://me:hunter2@[", true }
	data := "limits: {http2_streams: '${X}', header_timeout: '${X}', header_bytes: '${X}', memory: '${X}'}\n" +
		"trusted_proxies: ['${X}']\nlog: {level: '${X}'}\ntls: {local: '${X}', acme: {directory: '${X}'}}\n" +
		"listen: {http: ':80'}\norigins: {o: {servers: ['${X}']}}\nsites: [{hosts: [a], routes: [{path: /, redirect: {to: '${X}'}}]}]"
	_, _, err := Parse("f", "/", []byte(data), secret)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("problems: %v", err)
	}
}

func TestParse_StartsFromTheDefaultsOfListsEachTime(t *testing.T) {
	c := parse(t, `
listen: {http: ":80"}
origins: {a: {servers: ["http://a"]}, b: {servers: ["http://b"]}}
sites: [{hosts: [a], routes: [{path: /a, origin: a}, {path: /b, origin: b}]}]
`)
	c.Origins["a"].Retry.Statuses[0] = 0
	if c.Origins["b"].Retry.Statuses[0] != 502 {
		t.Error("two origins share the list of statuses")
	}
}

// The tables of the guide, sections 3.3, 4.2, 4.3, 5.1 and 6.
func TestParse_HasTheDefaultsOfTheGuide(t *testing.T) {
	c := parse(t, string(read(t, "testdata/small.good.yaml")))
	o := c.Origins["shop"]
	every := parse(t, string(read(t, "testdata/guide-defaults.good.yaml"))).Origins["shop"]
	every.Servers, every.Retry.NonIdempotent = o.Servers, o.Retry.NonIdempotent
	if !reflect.DeepEqual(o, every) {
		t.Errorf("the defaults of an origin:\n%+v\nthe guide's:\n%+v", o, every)
	}
	if every.Health.Active != nil {
		t.Error("there are checks that nobody asked for")
	}
	seconds := func(n int) Duration { return Duration(time.Duration(n) * time.Second) }
	got := []any{c.Replay.GlobalMemory, c.Replay.DiskQuota, c.Drain, c.TLS.MinVersion, c.Listen.HTTP3}
	want := []any{Size(128 << 20), Size(2 << 30), Drain{seconds(5), seconds(30)}, "1.2", false}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("defaults %v, want %v", got, want)
	}
	limits := Limits{
		HeaderBytes: 16 << 10, HeaderFields: 100, TargetBytes: 8 << 10, HeaderTimeout: seconds(10), IdleTimeout: seconds(60),
		Body:             BodyLimits{Size: 100 << 20, IdleTimeout: seconds(30), MinRate: 500, Grace: seconds(10)},
		Response:         ResponseLimits{IdleTimeout: seconds(30), MinRate: 500, Grace: seconds(10)},
		ConnectionsPerIP: 512, HTTP2Streams: 100, HTTP2Resets: 200,
	}
	if !reflect.DeepEqual(c.Limits, limits) {
		t.Errorf("limits %+v, want %+v", c.Limits, limits)
	}
	active := parse(t, strings.Replace(string(read(t, "testdata/small.good.yaml")), "shop:\n", "shop:\n    health: {active: {}}\n", 1)).Origins["shop"].Health.Active
	if !reflect.DeepEqual(*active, ActiveHealth{Path: "/", Interval: seconds(5), Timeout: seconds(2), Rise: 2, Fall: 3}) {
		t.Errorf("active checks %+v", *active)
	}
}

// Other packages and the reference rely on the tags of every field.
func TestTags_AreComplete(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	var walk func(reflect.Type)
	walk = func(b reflect.Type) {
		seen := map[string]bool{}
		for i := range b.NumField() {
			f := b.Field(i)
			key := f.Tag.Get("yaml")
			if key == "-" {
				continue
			}
			if !name.MatchString(key) || seen[key] {
				t.Errorf("%s.%s has the key %q", b.Name(), f.Name, key)
			}
			seen[key] = true
			inner := f.Type
			for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice || inner.Kind() == reflect.Map {
				inner = inner.Elem()
			}
			if short := f.Tag.Get("short"); short != "" && fieldIndex(inner, short) < 0 {
				t.Errorf("%s.%s has the short form %q, which is no key", b.Name(), f.Name, short)
			}
			if isBlock(inner) {
				walk(inner)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}

func TestReadme_ItsExamplesLoad(t *testing.T) {
	fence := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	n := 0
	for _, m := range fence.FindAllStringSubmatch(string(read(t, "../../README.md")), -1) {
		if !strings.Contains(m[1], "sites:") {
			continue
		}
		n++
		parse(t, m[1])
	}
	if n == 0 {
		t.Error("README.md has no example")
	}
}

func TestPlace_IsTheLineOfAKeyOrOfTheBlockAroundIt(t *testing.T) {
	c := parse(t, "listen: {http: ':80'}\nsites:\n  - hosts: [a]\n    routes:\n      - {path: /, respond: {}}\n")
	for path, want := range map[string][2]int{
		"sites[0].routes[0].path":      {5, 16},
		"sites[0].routes[0].body_size": {5, 9},
		"tls.acme.email":               {1, 1},
	} {
		if line, column := c.Place(path); [2]int{line, column} != want {
			t.Errorf("%s is at %d:%d, want %v", path, line, column, want)
		}
	}
	if line, _ := new(Config).Place("sites"); line != 0 {
		t.Errorf("a Config without a file has line %d", line)
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range glob(f, "testdata/*.yaml") {
		f.Add(read(f, file))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, _, err := Parse("f", "/d", data, environment)
		var problems *Problems
		switch {
		case err == nil:
			checkInvariants(t, c)
		case c != nil || !errors.As(err, &problems) || len(problems.List) == 0:
			t.Fatalf("config %v with error %#v", c, err)
		}
	})
}

// checkInvariants is what a loaded Config promises.
func checkInvariants(t *testing.T, c *Config) {
	t.Helper()
	if len(c.Listen.HTTP)+len(c.Listen.HTTPS) == 0 {
		t.Error("nothing listens")
	}
	if len(c.Listen.HTTPS) > 0 && c.TLS.ACME == nil && !c.TLS.Local && len(c.TLS.Files) == 0 {
		t.Error("https without a certificate")
	}
	for _, path := range []string{c.Node.DataDir, c.Replay.SpillDir} {
		if !filepath.IsAbs(path) {
			t.Errorf("relative path %q", path)
		}
	}
	hosts := map[string]bool{}
	for _, s := range c.Sites {
		if len(s.Hosts) == 0 || len(s.Routes) == 0 || s.Pages == nil || s.HTTP == "" {
			t.Errorf("site %+v", s)
		}
		for _, h := range append(append([]string{}, s.Hosts...), s.RedirectFrom...) {
			if hosts[h] || h == "" || strings.ToLower(h) != h {
				t.Errorf("host %q", h)
			}
			hosts[h] = true
		}
		for _, r := range s.Routes {
			actions := 0
			for _, set := range []bool{r.Origin != "", r.Respond != nil, r.Redirect != nil} {
				if set {
					actions++
				}
			}
			if actions != 1 || r.Name == "" || !strings.HasPrefix(r.Path, "/") || r.TunnelIdle <= 0 {
				t.Errorf("route %+v", r)
			}
			if r.Origin != "" && c.RetryFor(r).Attempts < 1 {
				t.Errorf("retry of route %+v", r)
			}
		}
	}
	for name, o := range c.Origins {
		if len(o.Servers) == 0 || o.DialTimeout <= 0 || o.Health.ConsecutiveFailures < 1 || o.Queue.Timeout < 0 {
			t.Errorf("origin %s: %+v", name, o)
		}
		for _, s := range o.Servers {
			if a := s.Address(); a.String() != s.URL || s.Weight < 1 || s.State == "" || a.Scheme == "unix" && !filepath.IsAbs(a.Socket) {
				t.Errorf("server %+v", s)
			}
		}
	}
}

func parse(t *testing.T, text string) *Config {
	t.Helper()
	c, _, err := Parse("f", "/d", []byte(text), environment)
	if err != nil {
		t.Fatal(err)
	}
	return c
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
