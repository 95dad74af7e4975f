package server

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/gateway/pages"
)

// ConfigError says that a configuration cannot be used.
type ConfigError struct {
	File     string
	Problems []string // at least one, each with file, line and key where there is one
}

func (e *ConfigError) Error() string {
	if len(e.Problems) == 1 {
		return e.Problems[0]
	}
	return fmt.Sprintf("%d problems in %s:\n  %s", len(e.Problems), e.File, strings.Join(e.Problems, "\n  "))
}

// Load reads and checks the configuration at path, and the files that it names
// (certificates, keys, templates). Nothing is started and nobody is asked. The
// warnings come with a good file and with a bad one. Errors: *ConfigError, or
// what the system says of the file.
func Load(path string) (cfg *config.Config, warnings []string, err error) {
	cfg, risks, err := config.Load(path)
	warnings = lines(risks)
	var bad *config.Problems
	switch {
	case errors.As(err, &bad):
		return nil, warnings, &ConfigError{File: path, Problems: lines(bad.List)}
	case err != nil:
		return nil, warnings, &ConfigError{File: path, Problems: []string{err.Error()}}
	}
	problems, risks := config.CheckFiles(cfg, pageProblem, time.Now())
	warnings = append(warnings, lines(risks)...)
	if len(problems) > 0 {
		return nil, warnings, &ConfigError{File: path, Problems: lines(problems)}
	}
	return cfg, warnings, nil
}

// pageProblem tries a page template as the gateway will.
func pageProblem(path string) error {
	_, err := pages.New(path)
	return err
}

func lines(problems []config.Problem) []string {
	all := make([]string, len(problems))
	for i, p := range problems {
		all[i] = p.String()
	}
	return all
}
