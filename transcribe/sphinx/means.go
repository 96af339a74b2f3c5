package sphinx

// The mean of speech at which a fresh session starts: log mel energies, over
// the utterances of the training voices of transcribe/wer/corpus, at a peak of
// half the scale. A caller's own mean takes over within a second of speech.

// narrowMean is that of G.711. What lies above the lower filters is not looked
// at, and is noise.
func narrowMean() [filters]float64 {
	return [filters]float64{11.20, 11.48, 12.03, 11.92, 11.58, 10.87, 10.33, 10.06, 10.06, 10.21, 10.45, 10.57, 10.55, 10.65, 11.23, 11.61, 11.56}
}

// wideMean is that of G.722.
func wideMean() [filters]float64 {
	return [filters]float64{11.64, 11.92, 12.48, 12.37, 12.01, 11.28, 10.73, 10.45, 10.46, 10.62, 10.86, 10.99, 10.96, 11.07, 11.66, 12.05, 12.00, 12.41, 12.31, 12.04, 11.47, 11.17, 10.86, 10.33, 10.40}
}
