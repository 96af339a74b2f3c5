package sphinx

// confidence is how much a segment is to be believed, 0 to 1.
func confidence(m message, words []string, v *vocabulary) float32 {
	if len(words) == 0 {
		return 0
	}
	c := m.posterior
	if v != nil {
		c = v.known(words)
	}
	return float32(min(max(c, 0), 1))
}
