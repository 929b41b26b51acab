package certs

import (
	"context"
	"log/slog"
	"slices"

	"go.uber.org/zap/zapcore"
)

// logCore brings what certmagic logs into our log.
type logCore struct{ handler slog.Handler }

var levels = map[zapcore.Level]slog.Level{
	zapcore.DebugLevel: slog.LevelDebug,
	zapcore.InfoLevel:  slog.LevelDebug, // each step of each certificate
	zapcore.WarnLevel:  slog.LevelWarn,
}

func level(l zapcore.Level) slog.Level {
	if to, ok := levels[l]; ok {
		return to
	}
	return slog.LevelError
}

// shown are messages that an operator wants to see, though they are but steps.
var shown = []string{"certificate obtained successfully", "certificate renewed successfully", "obtaining certificate", "renewing certificate"}

// Enabled implements zapcore.LevelEnabler.
func (c logCore) Enabled(l zapcore.Level) bool {
	return c.handler.Enabled(context.Background(), max(level(l), slog.LevelInfo))
}

// With implements zapcore.Core.
func (c logCore) With(fields []zapcore.Field) zapcore.Core {
	return logCore{c.handler.WithAttrs(attributes(fields))}
}

// Check implements zapcore.Core.
func (c logCore) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return to.AddCore(e, c)
	}
	return to
}

// Write implements zapcore.Core.
func (c logCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	at := level(e.Level)
	if e.Level == zapcore.InfoLevel && slices.Contains(shown, e.Message) {
		at = slog.LevelInfo
	}
	if !c.handler.Enabled(context.Background(), at) {
		return nil
	}
	r := slog.NewRecord(e.Time, at, "certificates: "+e.Message, 0)
	r.AddAttrs(attributes(fields)...)
	return c.handler.Handle(context.Background(), r)
}

// Sync implements zapcore.Core.
func (c logCore) Sync() error { return nil }

// attributes are fields by their names, in their order. A field that is empty says
// nothing; an account is of nobody's concern.
func attributes(fields []zapcore.Field) (list []slog.Attr) {
	for _, f := range fields {
		enc := zapcore.NewMapObjectEncoder()
		f.AddTo(enc)
		for key, value := range enc.Fields {
			if f.Type == zapcore.SkipType || value == nil || value == "" || key == "account" {
				continue
			}
			list = append(list, slog.Any(key, value))
		}
	}
	return list
}
