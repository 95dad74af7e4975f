package config

import (
	"strings"
	"testing"
)

// Whatever stands where a secret is wanted, nothing shows what the environment or
// a file holds, nor a text that is all secret.
func FuzzReader_ShowsNoSecret(f *testing.F) {
	for _, seed := range []string{
		"{env: SECRET}", "{file: a}", "'${SECRET}'", "x", "'hunter2${SECRET}'", "[{env: SECRET}]", "{env: [SECRET]}", "!t {env: SECRET}",
		"{env: '${SECRET}'}", "{file: '${SECRET}'}", "&a {env: SECRET}", "'${SECRET'", "\"a\\nb\"", "{env: SECRET, file: a}", "{? {env: SECRET}}", "{<<: {env: SECRET}}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(strings.ToLower(text), marker) {
			return // the text itself; see the corpus
		}
		file := "listen: {https: ':443'}\ntls: {local: true}\nstore: {url: " + text + "}\n" +
			"chat: {site: a, path: /c, slack: {signing_secret: " + text + "}, teams: {secret: " + text + "}, users: [{slack: U012AB3CD, actor: ana, role: admin}]}\n" +
			"sites: [{hosts: [a], headers: {request: {set: {X-A: " + text + ", Cookie: " + text + "}}}, routes: [{path: /, respond: {}, match: {X-B: " + text + "}}]}]\n"
		c, warnings, err := understand("f", "/d", []byte(file), environment, surroundings{secret: fileSays, shared: true})
		if err != nil && tells(err.Error()) {
			t.Errorf("problems: %v", err)
		}
		if said := (&Problems{List: warnings}).Error(); tells(said) {
			t.Errorf("warnings: %s", said)
		}
		if c != nil && tells(string(c.Redacted())) {
			t.Errorf("redacted: %s", c.Redacted())
		}
	})
}

// What is a secret by its place shows in no problem, however wrong it is there.
func TestReader_RepeatsNoSecretInTheWrongPlace(t *testing.T) {
	files := map[string]string{
		"a text for a block":         "chat: {slack: hunter2}",
		"a text for a whole section": "store: postgres://a:hunter2@db/x",
		"a list":                     "chat: {slack: {signing_secret: [hunter2]}}",
		"a name":                     "chat: {slack: {signing_secret: {hunter2}}}",
		"a key":                      "chat: {slack: {hunter2}}",
		"a block":                    "chat: {slack: {signing_secret: {hunter2: x}}}",
		"an alias":                   "chat: {slack: {signing_secret: *hunter2}}",
		"a tag":                      "chat: {slack: {signing_secret: !hunter2 x}}",
		"a variable":                 "chat: {slack: {signing_secret: 'a${hunter2}b'}}",
		"no variable":                "chat: {slack: {signing_secret: 'a${hunter2'}}",
		"a text for headers":         "sites: [{headers: {request: {set: 'Authorization: hunter2'}}}]",
		"a text for a direction":     "sites: [{headers: {request: hunter2}}]",
		"a URL that is none":         "store: {url: 'postgres://a:hunter2/x@db/y'}",
		"a URL with a sharp":         "store: {url: 'postgres://a:x#hunter2@db/y'}",
	}
	for name, text := range files {
		_, _, err := Parse("f", "/d", []byte(text+"\n"), environment)
		if err == nil || tells(err.Error()) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
