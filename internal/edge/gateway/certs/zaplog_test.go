package certs

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/zap"
)

func TestLibrariesAreHeardAtDebugOnly(t *testing.T) {
	for level, want := range map[slog.Level]bool{slog.LevelInfo: false, slog.LevelDebug: true} {
		var text strings.Builder
		log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: level}))
		newZap(log).Named("obtain").With(zap.String("ca", "x")).Error("no luck", zap.Error(errors.New("reason")))
		slog.New(quiet{log.Handler()}).With("a", 1).WithGroup("g").Error("acmez says")
		for _, part := range []string{"no luck", "level=DEBUG", "ca=x", "error=reason", "certmagic=obtain", "severity=error", "acmez says"} {
			if strings.Contains(text.String(), part) != want {
				t.Errorf("at %s: %q is there: %v\n%s", level, part, !want, text.String())
			}
		}
	}
}
