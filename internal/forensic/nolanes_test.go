//go:build !forensic

package forensic

// begin, finish and play belong to the lanes, which need lethe's binaries.
func begin()              {}
func finish(code int) int { return code }
func play(string) int     { return 2 }
