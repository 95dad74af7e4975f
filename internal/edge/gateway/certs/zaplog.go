package certs

import (
	"context"
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// newZap returns the logger that certmagic wants. Everything it says becomes a
// debug message: what an operator must know comes back as an error, and is
// logged once by who asked.
func newZap(l *slog.Logger) *zap.Logger {
	return zap.New(&zapCore{log: l}, zap.WithFatalHook(zapcore.WriteThenPanic))
}

// zapCore writes zap's entries to a slog.Logger, at debug.
type zapCore struct{ log *slog.Logger }

var _ zapcore.Core = (*zapCore)(nil)

// Enabled reports whether anybody would read an entry.
func (c *zapCore) Enabled(zapcore.Level) bool {
	return c.log.Enabled(context.Background(), slog.LevelDebug)
}

// With returns a core with more fields.
func (c *zapCore) With(fields []zapcore.Field) zapcore.Core {
	return &zapCore{log: c.log.With(attributes(fields)...)}
}

// Check adds the core to those that write the entry.
func (c *zapCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

// Write writes the entry.
func (c *zapCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	args := append(attributes(fields), "certmagic", e.LoggerName, "severity", e.Level.String())
	c.log.Debug(e.Message, args...)
	return nil
}

// Sync has nothing to do.
func (c *zapCore) Sync() error { return nil }

// attributes turns fields into what slog takes, in their order.
func attributes(fields []zapcore.Field) []any {
	args := make([]any, 0, 2*len(fields)+4)
	for _, f := range fields {
		enc := zapcore.NewMapObjectEncoder()
		f.AddTo(enc)
		for key, value := range enc.Fields {
			args = append(args, key, value)
		}
	}
	return args
}

// quiet is a slog.Handler that makes a debug message of everything, for acmez:
// its errors come back to us as well.
type quiet struct{ slog.Handler }

// Enabled reports whether debug messages are read.
func (q quiet) Enabled(ctx context.Context, _ slog.Level) bool {
	return q.Handler.Enabled(ctx, slog.LevelDebug)
}

// Handle writes r at debug.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return q.Handler.Handle(ctx, r)
}

// WithAttrs keeps it quiet.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }

// WithGroup keeps it quiet.
func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }
