package web

import (
	"log/slog"
	"net/http"
	"time"
)

// Bounds of one connection, so that slow or idle clients cannot hold the
// server. Streams and long downloads extend WriteTimeout for themselves.
const (
	HeaderTimeout  = time.Minute
	ReadTimeout    = 5 * time.Minute
	WriteTimeout   = 5 * time.Minute
	IdleTimeout    = 3 * time.Minute
	MaxHeaderBytes = 64 << 10
)

// NewServer is an http.Server for h with these bounds.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: HeaderTimeout,
		ReadTimeout:       ReadTimeout,
		WriteTimeout:      WriteTimeout,
		IdleTimeout:       IdleTimeout,
		MaxHeaderBytes:    MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
