package server

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync/atomic"

	"github.com/evergate/evergate/internal/config"
)

// logging is the server's own log: text on a terminal, JSON otherwise. Level
// and format follow the configuration, also after a reload.
type logging struct {
	level    slog.LevelVar
	terminal bool
	json     atomic.Bool
	node     atomic.Pointer[string] // name of this node, in JSON only: a terminal knows where it is
}

// newLogging returns a logger that writes to w, and its settings. Until the
// first apply it is at level info.
func newLogging(w io.Writer) (*slog.Logger, *logging) {
	l := &logging{terminal: isTerminal(w)}
	l.json.Store(!l.terminal)
	text := slog.NewTextHandler(w, &slog.HandlerOptions{Level: &l.level})
	json := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: &l.level, ReplaceAttr: readableTime})
	return slog.New(&handler{text: text, json: json, settings: l}), l
}

// readableTime writes a duration as "1m30s": slog's JSON would count nanoseconds.
func readableTime(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// apply takes over what cfg says.
func (l *logging) apply(cfg *config.Config) {
	_ = l.SetLevel(cfg.Log.Level) // validated
	l.json.Store(cfg.Log.Format == "json" || cfg.Log.Format != "text" && !l.terminal)
	name := nodeName(cfg)
	l.node.Store(&name)
}

// SetLevel implements levers.Log: one of debug, info, warn, error.
func (l *logging) SetLevel(word string) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(word)); err != nil {
		return err
	}
	l.level.Set(level)
	return nil
}

// handler writes by one of two handlers, whichever the settings ask for now.
type handler struct {
	text, json slog.Handler
	settings   *logging
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.settings.level.Level()
}

func (h *handler) Handle(ctx context.Context, record slog.Record) error {
	if !h.settings.json.Load() {
		return h.text.Handle(ctx, record)
	}
	if node := h.settings.node.Load(); node != nil && *node != "" {
		record = record.Clone()
		record.AddAttrs(slog.String("node", *node))
	}
	return h.json.Handle(ctx, record)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{text: h.text.WithAttrs(attrs), json: h.json.WithAttrs(attrs), settings: h.settings}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{text: h.text.WithGroup(name), json: h.json.WithGroup(name), settings: h.settings}
}

// isTerminal reports whether w is a terminal or another device that a person reads.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// nodeName is the node's name in logs and metrics.
func nodeName(cfg *config.Config) string {
	if cfg.Node.Name != "" {
		return cfg.Node.Name
	}
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}
