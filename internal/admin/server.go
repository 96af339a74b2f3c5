package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check is one thing that readiness rests on; nil means that it holds. The
// error's text is shown: it names a cause and a remedy.
type Check struct {
	Name string
	Ask  func(context.Context) error
}

// Server is the listener. Start it with Serve, end it with Close.
type Server struct {
	http   *http.Server
	listen net.Listener
	done   chan error
}

const (
	readTimeout  = 5 * time.Second
	writeTimeout = 30 * time.Second
	idleTimeout  = 60 * time.Second
	checkTimeout = 3 * time.Second
	maxHeader    = 8 << 10
)

// Serve listens and answers until Close. The address comes from the
// configuration and was validated.
func Serve(ctx context.Context, c Config, m *Metrics, checks []Check, l *slog.Logger) (*Server, error) {
	listen, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.InsecureListen)
	if err != nil {
		return nil, fmt.Errorf("admin.insecure_listen: %w", err)
	}
	s := &Server{listen: listen, done: make(chan error, 1), http: &http.Server{
		Handler:           Handler(m, checks),
		ReadTimeout:       readTimeout,
		ReadHeaderTimeout: readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(logWriter{l}, "", 0),
	}}
	go func() { s.done <- s.http.Serve(listen) }()
	return s, nil
}

// logWriter brings net/http's own complaints into the log.
type logWriter struct{ l *slog.Logger }

func (w logWriter) Write(p []byte) (int, error) {
	w.l.Warn("admin listener", "error", string(p))
	return len(p), nil
}

// Addr is where it listens.
func (s *Server) Addr() string { return s.listen.Addr().String() }

// Close lets requests end as long as ctx allows, and waits for the listener.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("admin: closing: %w", err), s.http.Close())
	}
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("admin: %w", served))
	}
	return err
}

// Handler answers /metrics, /healthz and /readyz, and nothing else.
func Handler(m *Metrics, checks []Check) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: writeTimeout / 2}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { ready(w, r, checks) })
	return mux
}

// result is one line of /readyz.
type result struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"`
}

func ready(w http.ResponseWriter, r *http.Request, checks []Check) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	code, status := http.StatusOK, "ready"
	results := make([]result, 0, len(checks))
	for _, c := range checks {
		one := result{Name: c.Name, OK: true}
		if err := c.Ask(ctx); err != nil {
			one.OK, one.Reason = false, err.Error()
			code, status = http.StatusServiceUnavailable, "not ready"
		}
		results = append(results, one)
	}
	reply(w, code, map[string]any{"status": status, "checks": results})
}

func reply(w http.ResponseWriter, code int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(append(text, '\n')) // the client has gone: nothing to do
}
