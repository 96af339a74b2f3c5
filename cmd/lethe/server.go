package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"lethe/agent"
	"lethe/agent/flite"
	"lethe/agent/script"
	"lethe/conversation"
	"lethe/internal/admin"
	"lethe/internal/logs"
	"lethe/media"
	"lethe/policy"
	"lethe/sip"
	"lethe/store"
	"lethe/transcribe"
)

// Server is a running lethe: everything that was started, in the order in
// which it was, which is the opposite of the order in which it is ended.
type Server struct {
	cfg *Config
	say progress
	log *slog.Logger
	now func() time.Time

	plane   *media.Plane
	store   *store.Store
	office  *policy.Office
	engines map[string]transcribe.Engine
	voice   *flite.Voice
	desk    *conversation.Desk
	metrics *admin.Metrics
	ua      *sip.UA
	admin   *admin.Server

	stopCalls context.CancelFunc // ends every conversation
	closers   []closer
}

// closer ends one part.
type closer struct {
	name string
	end  func(context.Context) error
}

// goodbye is how long calls may take to end when the server is asked to stop,
// and the rest after them.
const goodbye = 10 * time.Second

// progress tells a person how the start goes.
type progress struct{ w io.Writer }

func (p progress) line(what, format string, args ...any) {
	_, _ = fmt.Fprintf(p.w, "%-9s %s\n", what, fmt.Sprintf(format, args...)) // nobody may be looking
}

// start brings a server up. When it fails, what was up is down again.
func (m *Main) start(ctx context.Context, c *Config) (*Server, error) {
	l, err := logs.New(m.Stderr, c.Log)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the key
	}
	s := &Server{cfg: c, say: progress{m.Stdout}, log: l, now: m.Now, engines: map[string]transcribe.Engine{}}
	for _, step := range []func(context.Context) error{s.openPlane, s.openStore, s.openOffice, s.openVoice, s.openEngines, s.openDesk, s.openUA, s.openAdmin, s.listen} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// Close ends calls, then what they stood on.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	var errs []error
	for len(s.closers) > 0 {
		last := s.closers[len(s.closers)-1]
		s.closers = s.closers[:len(s.closers)-1]
		if err := last.end(ctx); err != nil {
			errs = append(errs, fmt.Errorf("closing %s: %w", last.name, err))
		}
	}
	return errors.Join(errs...)
}

func (s *Server) onClose(name string, end func(context.Context) error) {
	s.closers = append(s.closers, closer{name, end})
}

// plain makes an end of one that needs no context.
func plain(end func() error) func(context.Context) error {
	return func(context.Context) error { return end() }
}

func (s *Server) openPlane(context.Context) error {
	var err error
	if s.plane, err = media.NewPlane(s.cfg.Media); err != nil {
		return exit(exitMissing, err)
	}
	s.onClose("media", plain(s.plane.Close))
	s.say.line("arena", "%d KiB locked", s.cfg.Media.ArenaKiB)
	return nil
}

func (s *Server) openStore(ctx context.Context) error {
	var err error
	if s.store, err = store.Open(ctx, s.cfg.Store, s.now); err != nil {
		return err //nolint:wrapcheck // it names the file and the remedy
	}
	s.onClose("the store", plain(s.store.Close))
	s.say.line("store", "%s, keys in %s", s.cfg.Store.File, s.cfg.Store.Keys)
	if n := len(s.store.Interrupted()); n > 0 {
		s.say.line("", "%d conversations were interrupted when lethe last ended", n)
	}
	return nil
}

func (s *Server) openOffice(context.Context) error {
	var err error
	s.office, err = policy.New(s.store.Journal(), s.cfg.Policy, s.now, processors()...)
	return err //nolint:wrapcheck // it names the key
}

// processors are the parts of lethe that are given a caller's words or audio;
// all of them run on this machine.
func processors() []policy.ProcessorEntry {
	names := []string{script.Processor, flite.Processor}
	names = append(names, engineProcessors()...)
	out := make([]policy.ProcessorEntry, len(names))
	for i, n := range names {
		out[i] = policy.ProcessorEntry{Name: n, Local: true}
	}
	return out
}

func (s *Server) openVoice(ctx context.Context) error {
	var err error
	if s.voice, err = flite.New(ctx, s.cfg.Flite, s.plane.Arena()); err != nil {
		return exit(exitMissing, err)
	}
	s.onClose("the voice", plain(s.voice.Close))
	s.say.line("voice", "%s", s.voice)
	return nil
}

// openDesk puts somebody at every number.
func (s *Server) openDesk(ctx context.Context) error {
	scripts, err := s.cfg.people()
	if err != nil {
		return exit(exitUsage, err)
	}
	numbers := make(map[string]conversation.Number, len(s.cfg.Numbers))
	for name, n := range s.cfg.Numbers {
		mind := scripts[name]
		numbers[name] = conversation.Number{Engine: s.engines[n.Engine], Vocabulary: name, Language: n.Language,
			Mind: func(ctx context.Context) (agent.Mind, error) { return mind.New(ctx) }, MindProcessor: script.Processor, Voice: s.voice,
			Sentences: mind.Sentences()}
	}
	s.metrics = admin.NewMetrics(build().Version, func() int { return len(s.desk.Live()) }, s.audio)
	s.desk, err = conversation.New(conversation.Deps{Config: s.cfg.Conversation, Office: s.office, Archive: s.store, Arena: s.plane.Arena(),
		Numbers: numbers, Observer: observer{s.metrics}, Log: s.log, Now: s.now})
	if err != nil {
		return err //nolint:wrapcheck // it names the key
	}
	return s.desk.Rehearse(ctx) //nolint:wrapcheck // it names the number
}

func (s *Server) openUA(ctx context.Context) error {
	stopping, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stopCalls = stop
	var err error
	s.ua, err = sip.New(s.cfg.SIP, sip.Deps{
		Log:   s.log,
		Plane: s.plane,
		Serve: func(ctx context.Context, c *sip.Call, f policy.Facts) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			defer context.AfterFunc(stopping, cancel)()
			return s.serve(ctx, c, f)
		},
		Numbers: func(user string) bool { _, ok := s.cfg.Numbers[user]; return ok },
		Ready:   s.room,
		Observe: sip.Observer{
			Response:  s.metrics.Response,
			Ended:     func(r sip.Result) { s.metrics.Ended(string(r)) },
			Malformed: func(string) { s.metrics.Malformed() },
			Panicked:  s.metrics.Panicked,
		},
	})
	return err //nolint:wrapcheck // it names the key
}

// serve is one call's conversation.
func (s *Server) serve(ctx context.Context, c *sip.Call, f policy.Facts) error {
	err := s.desk.Voices(ctx, c, f)
	if stream := c.Media(); stream != nil {
		s.metrics.Jitter(stream.Stats().Jitter)
	}
	if err != nil { // sip ends the call whatever it was: here is where an operator learns of it
		s.log.Error("a conversation failed", "conversation", f.Conversation, "number", f.To, "trunk", f.Trunk, "error", err)
	}
	return err //nolint:wrapcheck // sip asks only whether there was one
}

func (s *Server) openAdmin(ctx context.Context) error {
	if s.cfg.Admin.InsecureListen == "" {
		return nil
	}
	var err error
	if s.admin, err = admin.Serve(ctx, s.cfg.Admin, s.metrics, s.checks(), s.log); err != nil {
		return fmt.Errorf("%w; ss -ltnp shows who has it; choose another in admin.insecure_listen", err)
	}
	s.onClose("the admin listener", s.admin.Close)
	s.say.line("admin", "http://%s/metrics, /healthz, /readyz", s.admin.Addr())
	return nil
}

// listen is last: from here on calls come in.
func (s *Server) listen(ctx context.Context) error {
	if err := s.ua.Listen(ctx); err != nil {
		return err //nolint:wrapcheck // it names the key and the remedy
	}
	s.onClose("sip", s.ua.Close)
	s.onClose("conversations", s.endCalls)
	for _, l := range s.ua.Addrs() {
		s.say.line("sip", "%s %s", strings.ToLower(l.Transport), l.Address)
	}
	return nil
}

// endCalls stops every conversation and waits for their ends, before sip hangs
// up: then their records say that it was lethe that stopped.
func (s *Server) endCalls(ctx context.Context) error {
	s.ua.Drain()
	s.stopCalls()
	ctx, cancel := context.WithTimeout(ctx, goodbye/2)
	defer cancel()
	t := time.NewTicker(10 * time.Millisecond)
	defer t.Stop()
	for len(s.desk.Live()) > 0 {
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil // sip cuts the rest short, and says how many there were
		}
	}
	return nil
}

// Addr is where the server listens over a transport (UDP, TCP, TLS).
func (s *Server) Addr(transport string) netip.AddrPort {
	for _, l := range s.ua.Addrs() {
		if l.Transport == transport {
			return l.Address
		}
	}
	return netip.AddrPort{}
}

// AdminAddr is where metrics are.
func (s *Server) AdminAddr() string {
	if s.admin == nil {
		return ""
	}
	return s.admin.Addr()
}
