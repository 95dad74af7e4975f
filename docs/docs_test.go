// Package docs_test keeps the documents true where a machine can: links lead
// somewhere, examples are good configurations, and lists are complete.
package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/config"
)

// documents are all that users read.
func documents(t *testing.T) []string {
	t.Helper()
	files := []string{"../README.md"}
	for _, pattern := range []string{"*.md", "*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	for _, file := range documents(t) {
		for _, match := range link.FindAllStringSubmatch(read(t, file), -1) {
			target, anchor, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			path := file
			if target != "" {
				path = filepath.Join(filepath.Dir(file), target)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s links to %s, which is not there", file, match[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, path)), anchor) {
				t.Errorf("%s links to %s, and %s has no such heading", file, match[1], path)
			}
		}
	}
}

// anchors are the names of a document's headings, as in links.
func anchors(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if !strings.HasPrefix(line, "#") || !ok {
			continue
		}
		name := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

var example = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```")

// TestExamplesAreGood reads every example that is a whole configuration, that
// is, one with sites.
func TestExamplesAreGood(t *testing.T) {
	whole := 0
	for _, file := range documents(t) {
		for i, match := range example.FindAllStringSubmatch(read(t, file), -1) {
			if !strings.Contains(match[1], "\nsites:") {
				continue
			}
			whole++
			name := fmt.Sprintf("%s, example %d", file, i+1)
			if _, _, err := config.Parse(name, "/etc/evergate", []byte(match[1]), func(string) (string, bool) { return "x", true }); err != nil {
				t.Error(err)
			}
		}
	}
	if whole < 5 {
		t.Errorf("%d whole configurations were found", whole)
	}
}

func TestMetricsAreListed(t *testing.T) {
	name := regexp.MustCompile(`\bevergate_[a-z0-9_]+`)
	made := map[string]bool{}
	err := filepath.WalkDir("../internal", func(path string, entry os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, filepath.FromSlash("../internal/demo")) ||
			strings.HasPrefix(path, filepath.FromSlash("../internal/config")) || strings.HasPrefix(path, filepath.FromSlash("../internal/cli")) {
			return err
		}
		for _, match := range regexp.MustCompile(`"(evergate_[a-z0-9_]+)"`).FindAllStringSubmatch(read(t, path), -1) {
			made[match[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	text := read(t, "reference/metrics.md")
	for metric := range made {
		if !strings.Contains(text, "`"+metric+"`") {
			t.Errorf("reference/metrics.md lacks %s", metric)
		}
	}
	for _, file := range documents(t) {
		for _, metric := range name.FindAllString(read(t, file), -1) {
			if !made[metric] && metric != "evergate_cert" && metric != "evergate_server" {
				t.Errorf("%s speaks of %s, which nothing makes", file, metric)
			}
		}
	}
}

func TestAccessLogFieldsAreListed(t *testing.T) {
	text := read(t, "reference/access-log.md")
	source := read(t, "../internal/edge/gateway/accesslog/line.go")
	fields := regexp.MustCompile(`append(?:Text|Int|Millis|Addr|Key)\(b, "([a-z_]+)"|"([a-z_]+)":`).FindAllStringSubmatch(source, -1)
	if len(fields) < 20 {
		t.Fatalf("%d fields were found", len(fields))
	}
	for _, match := range fields {
		if field := match[1] + match[2]; !strings.Contains(text, "`"+field+"`") {
			t.Errorf("reference/access-log.md lacks %s", field)
		}
	}
}
