package front

import (
	"context"
	"log"
	"log/slog"
	"runtime/debug"
	"strings"
)

// errorLog takes what net/http can tell only to a log.Logger. All of it is
// counted. Most is about visitors, and any visitor can make more of it, so it
// is logged at debug; a panic is ours and is logged as an error.
type errorLog struct {
	log     *slog.Logger
	metrics *metrics
}

func newErrorLog(l *slog.Logger, m *metrics) *log.Logger {
	return log.New(errorLog{l, m}, "", 0)
}

// Write takes one message.
func (e errorLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	kind := kindOf(text)
	e.metrics.serverErrors.WithLabelValues(kind).Inc()
	level := slog.LevelDebug
	if kind == "panic" {
		level = slog.LevelError
	}
	e.log.Log(context.Background(), level, text, "kind", kind)
	return len(line), nil
}

// panicked notes a panic of the handler on the fast lane, as net/http would.
func (f *Front) panicked(v any) {
	f.metrics.serverErrors.WithLabelValues("panic").Inc()
	f.log.Error("panic serving", "panic", v, "stack", string(debug.Stack()))
}

func kindOf(text string) string {
	switch {
	case strings.Contains(text, "TLS handshake error"):
		return "tls_handshake"
	case strings.Contains(text, "panic serving"):
		return "panic"
	}
	return "other"
}
