package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// serveCmd answers calls until it is told to stop.
type serveCmd struct {
	place `embed:""`
}

// Help of the command.
func (serveCmd) Help() string {
	return `Progress goes to standard output, the log (JSON, redacted) to standard error. SIGTERM and SIGINT end it: calls get a BYE, receipts are stored, exit code 0.

Examples:

    lethe serve --quickstart
    lethe serve --config /etc/lethe/lethe.yaml
    LETHE_MEDIA_PORTS=20000-20999 lethe serve --config lethe.yaml`
}

// Run starts the server and ends it when ctx does.
func (c serveCmd) Run(ctx context.Context, m *Main) error {
	cfg, _, err := m.load(c.place)
	if err != nil {
		return exit(exitUsage, err)
	}
	src, err := m.where(c.place).source()
	if err != nil {
		return err
	}
	progress{m.Stdout}.line("lethe", "%s, configuration %s", build().Version, src.Name)
	s, err := m.start(ctx, cfg)
	if err != nil {
		return fmt.Errorf("lethe can't start: %w", err)
	}
	m.server = s
	s.say.line("ready", "%s", cfg.invitation())
	if m.Ready != nil {
		m.Ready(s)
	}
	<-ctx.Done()
	s.say.line("ending", "%d calls", len(s.desk.Live()))
	m.server = nil
	if err := s.Close(); err != nil {
		return fmt.Errorf("lethe ended badly: %w", err)
	}
	s.say.line("ended", "nothing is left running")
	return nil
}

// invitation says how to try it out.
func (c *Config) invitation() string {
	number := slices.Sorted(maps.Keys(c.Numbers))[0]
	listeners := slices.Concat(c.SIP.InsecureUDP, c.SIP.InsecureTCP)
	if len(listeners) == 0 {
		return "answering " + number
	}
	target := number
	if listeners[0] != "127.0.0.1:5060" {
		target += "@" + listeners[0]
	}
	return fmt.Sprintf("try it: lethe call %s --say \"what are your opening hours\"", strings.TrimSpace(target))
}
