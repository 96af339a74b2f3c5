package sip

import "lethe/media"

// Plane makes streams; *media.Plane is one. SDP passes through sip unread.
type Plane interface {
	Answer(terms media.Terms, offer []byte) (s *media.Stream, answer []byte, err error)
	Offer(terms media.Terms) (s *media.Stream, offer []byte, err error)
}

// stream is what sip itself needs of one leg's media.
type stream interface {
	Accept(answer []byte) error
	Reoffer(offer []byte) (answer []byte, err error)
	Offer() []byte
	Done() <-chan struct{}
	Err() error
	Close() media.Ledger
}

// plane is a Plane whose streams are seen as stream.
type plane struct {
	answer func(media.Terms, []byte) (stream, []byte, error)
	offer  func(media.Terms) (stream, []byte, error)
}

func planeOf(p Plane) plane {
	return plane{
		answer: func(t media.Terms, offer []byte) (stream, []byte, error) { return leg(p.Answer(t, offer)) },
		offer:  func(t media.Terms) (stream, []byte, error) { return leg(p.Offer(t)) },
	}
}

// leg keeps a nil *media.Stream from becoming a stream that is not nil.
func leg(s *media.Stream, body []byte, err error) (stream, []byte, error) {
	if s == nil {
		return nil, body, err
	}
	return s, body, err
}

// Media is the call's audio.
func (c *Call) Media() *media.Stream {
	s, _ := c.stream.(*media.Stream)
	return s
}
