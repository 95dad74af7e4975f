package server

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoad_TriesPageTemplates(t *testing.T) {
	tests := []struct {
		name, template string
		want           string // of the problem, "" for none
	}{
		{"a good one", "<h1>{{.Title}}</h1>", ""},
		{"one that is no template", "{{.Title", "parse page template: "},
		{"one with a field that pages do not have", "{{.Nope}}", "try page template: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "evergate.yaml")
			text := "listen: {http: '127.0.0.1:0'}\npages: {template: page.html}\nsites: [{hosts: ['*'], routes: [{path: /*, respond: {}}]}]\n"
			for name, content := range map[string]string{path: text, filepath.Join(dir, "page.html"): tt.template} {
				if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, _, err := Load(path)
			var bad *ConfigError
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
			} else if want := path + ":2:19: pages.template: " + tt.want; !errors.As(err, &bad) || !strings.HasPrefix(bad.Problems[0], want) {
				t.Errorf("error %v, want %s", err, want)
			}
		})
	}
}
