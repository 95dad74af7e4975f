package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"

	"github.com/evergate/evergate/bench/internal/report"
)

// publish writes the results and shows them. A run with everything in it
// replaces the committed results of this kind of machine; a partial one stays
// among the raw files. It returns an error if some run failed.
func publish(page report.Page, runs []report.Run, o options, raw string) error {
	if err := writeJSON(filepath.Join(raw, "runs.json"), runs); err != nil {
		return err
	}
	name := filepath.Join("results", page.Machine.Slug())
	if o.pin {
		name += "-pinned"
	}
	if !o.whole {
		name = filepath.Join(raw, "part")
	}
	file, err := os.Create(name + ".md")
	if err != nil {
		return err
	}
	defer file.Close()
	if err := errors.Join(page.Markdown(file), file.Close(), writeJSON(name+".json", page)); err != nil {
		return err
	}
	if err := page.Markdown(os.Stdout); err != nil {
		return err
	}
	say("results are in bench/%s.md and .json, what the generators wrote in bench/%s", name, raw)

	failed := 0
	for _, r := range runs {
		if r.Error != "" {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d runs failed", failed, len(runs))
	}
	return nil
}

func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// toolVersions asks the tools which they are.
func toolVersions(ctx context.Context) map[string]string {
	versions := map[string]string{"go": runtime.Version()}
	for _, tool := range []struct{ name, flag, pattern string }{
		{"wrk", "-v", `wrk (\S+)`},
		{"h2load", "--version", `h2load (\S+)`},
	} {
		// wrk tells its version and exits with 1.
		out, _ := exec.CommandContext(ctx, tool.name, tool.flag).CombinedOutput()
		if match := regexp.MustCompile(tool.pattern).FindSubmatch(out); match != nil {
			versions[tool.name] = string(match[1])
		}
	}
	return versions
}
