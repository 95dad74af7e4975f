package docs_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// terminals are the blocks of a document that are of no language: commands, and what
// they print.
func terminals(text string) (blocks []string) {
	var b strings.Builder
	inside, plain := false, false
	for line := range strings.Lines(text) {
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && !inside:
			inside, plain = true, language == ""
			b.Reset()
		case fence:
			inside = false
			if plain {
				blocks = append(blocks, b.String())
			}
		default:
			b.WriteString(line)
		}
	}
	return blocks
}

var command = regexp.MustCompile(`(?m)(?:^(?:\$ )?|[(|;] ?|&& )(?:bin/)?evergate ([a-z][^|;)#&\n]*)`)

// TestCommandsAreThere holds every command and flag that the documents show against
// the reference of the commands, which is made from the program.
func TestCommandsAreThere(t *testing.T) {
	reference := read(t, "reference/cli.md")
	var headings []string
	for _, m := range regexp.MustCompile(`(?m)^### evergate (.*)$`).FindAllStringSubmatch(reference, -1) {
		headings = append(headings, m[1])
	}
	flag := regexp.MustCompile(`(?:^|\s)(-[a-zA-Z]|--[a-z-]+)`)
	quoted := regexp.MustCompile(`"[^"]*"|'[^']*'`)
	seen := 0
	for _, file := range documents(t) {
		for _, b := range terminals(read(t, file)) {
			for _, m := range command.FindAllStringSubmatch(strings.ReplaceAll(b, "\\\n", " "), -1) {
				seen++
				words := strings.Fields(m[1])
				name := words[0]
				if len(words) > 1 && slices.Contains(headings, name+" "+words[1]) {
					name += " " + words[1]
				}
				if !slices.Contains(headings, name) {
					t.Errorf("%s shows %q, and there is no such command", file, "evergate "+strings.TrimSpace(m[1]))
					continue
				}
				for _, f := range flag.FindAllStringSubmatch(quoted.ReplaceAllString(m[1], "x"), -1) {
					if !regexp.MustCompile(`(?m)(^| )` + regexp.QuoteMeta(f[1]) + `(,| )`).MatchString(reference) {
						t.Errorf("%s shows %q, and there is no flag %s", file, "evergate "+strings.TrimSpace(m[1]), f[1])
					}
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("%d commands were found", seen)
	}
}

// TestPathsOfTheAPIAreThere holds every path that the documents ask for against the
// OpenAPI document.
func TestPathsOfTheAPIAreThere(t *testing.T) {
	var document struct {
		Paths map[string]any `json:"paths"`
	}
	if err := json.Unmarshal([]byte(read(t, "reference/openapi.json")), &document); err != nil {
		t.Fatal(err)
	}
	var paths []*regexp.Regexp
	for path := range document.Paths {
		paths = append(paths, regexp.MustCompile("^"+regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(regexp.QuoteMeta(path), `[^/]+`)+"$"))
	}
	asked := regexp.MustCompile("/api/v1/[^\\s'\"`|,)]+")
	seen := 0
	for _, file := range documents(t) {
		for _, path := range asked.FindAllString(read(t, file), -1) {
			seen++
			if !slices.ContainsFunc(paths, func(p *regexp.Regexp) bool { return p.MatchString(path) }) {
				t.Errorf("%s asks for %s, which the API does not have", file, path)
			}
		}
	}
	if seen < 10 {
		t.Errorf("%d paths were found", seen)
	}
}

func TestConditionsAreListed(t *testing.T) {
	text := read(t, "guide/operations.md")
	source := read(t, "../internal/server/conditions.go")
	names := regexp.MustCompile(`Finding\{Name: "([a-z-]+) ?"`).FindAllStringSubmatch(source, -1)
	if len(names) < 5 {
		t.Fatalf("%d conditions were found", len(names))
	}
	for _, match := range names {
		if !strings.Contains(text, "| `"+match[1]+"` |") && !strings.Contains(text, "| `"+match[1]+" NAME` |") {
			t.Errorf("guide/operations.md lacks the condition %s", match[1])
		}
	}
}
