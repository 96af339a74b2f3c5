package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"lethe/conversation"
	"lethe/internal/admin"
	"lethe/media"
)

// observer turns what happens in conversations into figures. No words come
// here, and no number.
type observer struct{ m *admin.Metrics }

// Saw implements conversation.Observer.
func (o observer) Saw(e conversation.Event) {
	switch e.Kind {
	case conversation.FinalHeard:
		o.m.Final(e.Took)
	case conversation.ReplyStarted:
		o.m.Reply(e.Took)
	default:
	}
	o.m.Event(e.Kind.String())
}

// audio is media's account, as the metrics show it.
func (s *Server) audio() admin.Audio {
	t := s.plane.Totals()
	bounds := media.LifetimeBounds()
	return admin.Audio{
		Received: t.Received, Lost: t.Lost, Late: t.Late, Refused: t.Refused, Malformed: t.Malformed,
		Born: t.Born, Forgotten: t.Forgotten, Held: t.Held, Overruns: t.Overruns,
		Bounds: slices.Clone(bounds[:]), Lifetimes: slices.Clone(t.Lifetimes[:]), LifetimeSum: t.LifetimeSum,
		ArenaBytes: t.ArenaSize, ArenaUsed: t.ArenaUsed,
	}
}

// nearlyFull is the share of the arena above which no new call is promised.
const nearlyFull = 0.95

// checks are what readiness rests on.
func (s *Server) checks() []admin.Check {
	return []admin.Check{
		{Name: "sip", Ask: func(context.Context) error {
			if len(s.ua.Addrs()) == 0 {
				return errors.New("no listener: lethe is starting or ending")
			}
			return nil
		}},
		{Name: "calls", Ask: func(context.Context) error {
			if n := len(s.desk.Live()); n >= s.cfg.SIP.MaxCalls {
				return fmt.Errorf("all %d calls of sip.max_calls are taken", n)
			}
			return nil
		}},
		{Name: "arena", Ask: func(context.Context) error { return s.room() }},
		{Name: "store", Ask: s.store.Ping},
	}
}

// room says whether the arena has place for another call.
func (s *Server) room() error {
	t := s.plane.Totals()
	if float64(t.ArenaUsed) > nearlyFull*float64(t.ArenaSize) {
		return fmt.Errorf("%d of %d KiB are taken: raise media.arena_kib", t.ArenaUsed>>10, t.ArenaSize>>10)
	}
	return nil
}
