package media

import "lethe/media/sdp"

// Offer offers the session anew, in both directions: what a re-INVITE without
// an offer asks for (RFC 3261 section 14.2). Accept takes the answer.
func (s *Stream) Offer() []byte {
	s.mu.Lock()
	s.local.Version++
	local := s.local
	s.mu.Unlock()
	return sdp.Offer(s.terms, local, sdp.SendRecv)
}
