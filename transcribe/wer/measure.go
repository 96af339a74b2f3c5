package wer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"lethe/media"
	"lethe/media/vad"
	"lethe/policy"
	"lethe/transcribe"
)

const (
	before = 400 * time.Millisecond  // silence in front of an utterance
	behind = 1000 * time.Millisecond // and after it: more than the hang-over
	finish = 10 * time.Second        // for the last final
)

// Setup is what a measurement needs: a plane whose two ends call each other,
// and an engine.
type Setup struct {
	Plane    *media.Plane
	Engine   transcribe.Engine
	Listen   func() (policy.Listen, error) // a grant for each session
	Options  transcribe.Options            // Rate and Narrowband are filled in
	Codec    string                        // PCMU, PCMA or G722
	Parallel int                           // calls at the same time; 0 means 1
}

// Heard is what became of one case.
type Heard struct {
	Name       string        `json:"name"`
	Text       string        `json:"text"`
	Said       string        `json:"heard"`
	Confidence float32       `json:"confidence"` // the lowest of its finals
	Score      Score         `json:"score"`
	Missed     uint64        `json:"missed"` // packets and pieces that came too late to be heard: the machine is too busy
	Latency    time.Duration `json:"-"`      // from the end of speech to the last final; 0 if none came in time
}

// Result of all cases, in their order.
type Result struct {
	Codec string  `json:"codec"`
	Score Score   `json:"score"`
	Cases []Heard `json:"cases"`
}

// Latency is the p-th part (0 to 1) of the cases' latencies.
func (r Result) Latency(p float64) time.Duration {
	var all []time.Duration
	for _, c := range r.Cases {
		if c.Latency > 0 {
			all = append(all, c.Latency)
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(int(p*float64(len(all))), len(all)-1)]
}

// Missed sums what came too late. Unless it is 0, the machine was measured too.
func (r Result) Missed() (n uint64) {
	for _, c := range r.Cases {
		n += c.Missed
	}
	return n
}

// Taken counts the cases that an assistant would have acted upon: those that
// were heard with confidence and in which match sees something that it knows.
func (r Result) Taken(match func(text string) bool) (taken, of int) {
	for _, c := range r.Cases {
		if c.Confidence >= policy.LowConfidence && match(c.Said) {
			taken++
		}
	}
	return taken, len(r.Cases)
}

// Measure calls every case in, in real time, and compares. The first error ends
// it.
func Measure(ctx context.Context, s Setup, cases []Case) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := Result{Codec: s.Codec, Cases: make([]Heard, len(cases))}
	next := make(chan int)
	var callers sync.WaitGroup
	for range max(1, s.Parallel) {
		callers.Go(func() {
			for i := range next {
				h, err := s.call(ctx, cases[i])
				if err != nil {
					cancel(fmt.Errorf("wer: %s: %w", cases[i].Name, err))
					continue
				}
				out.Cases[i] = h
			}
		})
	}
	for i := range cases {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	callers.Wait()
	if err := context.Cause(ctx); err != nil {
		return Result{}, err //nolint:wrapcheck // wrapped where it happened
	}
	for _, h := range out.Cases {
		out.Score = out.Score.Add(h.Score)
	}
	return out, nil
}

// call lets one end speak and the other one hear.
func (s Setup) call(ctx context.Context, c Case) (h Heard, err error) {
	terms := media.Terms{Codecs: []string{s.Codec}}
	caller, offer, err := s.Plane.Offer(terms)
	if err != nil {
		return Heard{}, err //nolint:wrapcheck // by Measure
	}
	defer caller.Close()
	callee, answer, err := s.Plane.Answer(terms, offer)
	if err != nil {
		return Heard{}, err //nolint:wrapcheck // by Measure
	}
	defer callee.Close()
	if err := caller.Accept(answer); err != nil {
		return Heard{}, err //nolint:wrapcheck // by Measure
	}
	l, err := s.listener(ctx, callee)
	if err != nil {
		return Heard{}, err
	}
	if err := speak(ctx, caller.Speech(), c); err != nil {
		return Heard{}, errors.Join(err, l.close(ctx))
	}
	if err := l.close(ctx); err != nil {
		return Heard{}, err
	}
	said := strings.Join(l.said, " ")
	stats := callee.Stats()
	return Heard{Name: c.Name, Text: c.Text, Said: said, Confidence: l.confidence, Score: Compare(c.Text, said),
		Missed: stats.Lost + stats.Late + l.missed(), Latency: l.latency()}, nil
}

// speak writes the utterance between two silences and waits until it was sent.
func speak(ctx context.Context, out *media.Speech, c Case) error {
	still := func(d time.Duration) []int16 { return make([]int16, int(d)*c.Rate/int(time.Second)) }
	if err := out.Write(ctx, slices.Concat(still(before), c.PCM, still(behind)), c.Rate); err != nil {
		return err //nolint:wrapcheck // by Measure
	}
	return out.Drained(ctx) //nolint:wrapcheck // by Measure
}

// listener is the callee's side: a gate, a session, and who reads from both.
type listener struct {
	session transcribe.Session
	gate    *vad.Gate
	detach  func()
	readers sync.WaitGroup
	over    chan struct{}

	said       []string
	confidence float32
	stopped    time.Time // speech had ended by then, less the hang-over
	final      time.Time
}

func (s Setup) listener(ctx context.Context, callee *media.Stream) (*listener, error) {
	grant, err := s.Listen()
	if err != nil {
		return nil, err
	}
	o := s.Options
	o.Rate, o.Narrowband = s.Engine.Rate(), callee.Rate() == 8000
	l := &listener{over: make(chan struct{})}
	ring, err := s.Plane.Arena().Ring(o.Rate, vad.MaxPreroll)
	if err != nil {
		return nil, err //nolint:wrapcheck // by Measure
	}
	if l.gate, err = vad.NewGate(o.Rate, ring, vad.Default()); err != nil {
		ring.Close()
		return nil, err //nolint:wrapcheck // by Measure
	}
	if l.session, err = s.Engine.Open(ctx, grant, o); err != nil {
		l.gate.Close()
		return nil, err //nolint:wrapcheck // by Measure
	}
	l.gate.Open(l.session)
	if l.detach, err = callee.Listen(media.Caller, o.Rate, l.gate); err != nil {
		l.gate.Close()
		return nil, errors.Join(err, l.session.Close(ctx))
	}
	l.readers.Go(l.hear)
	l.readers.Go(l.watch)
	return l, nil
}

func (l *listener) hear() {
	for g := range l.session.Segments() {
		if !g.Final || g.Turn.Words.Empty() {
			continue
		}
		if len(l.said) == 0 || g.Turn.Confidence < l.confidence {
			l.confidence = g.Turn.Confidence
		}
		l.said = append(l.said, g.Turn.Words.Reveal())
		l.final = time.Now()
	}
}

func (l *listener) watch() {
	for {
		select {
		case e := <-l.gate.Events():
			if e.Kind == vad.Stopped {
				l.stopped = time.Now().Add(-vad.Default().Hangover)
			}
		case <-l.over:
			return
		}
	}
}

// close lets the last final come.
func (l *listener) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, finish)
	defer cancel()
	l.detach()
	l.gate.Close()
	err := l.session.Close(ctx)
	close(l.over)
	l.readers.Wait()
	return err //nolint:wrapcheck // by Measure
}

func (l *listener) missed() uint64 {
	n := l.gate.Lost()
	if d, ok := l.session.(interface{ Dropped() uint64 }); ok {
		n += d.Dropped()
	}
	return n
}

func (l *listener) latency() time.Duration {
	if l.stopped.IsZero() || l.final.Before(l.stopped) {
		return 0
	}
	return l.final.Sub(l.stopped)
}
