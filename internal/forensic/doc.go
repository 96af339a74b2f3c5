// Package forensic looks for a caller's audio where none may be: in the memory
// of a process and of all its children, in core files, in folders.
//
// The needles are what lethe's own codec and resampler make of the packets a
// caller really sent: every 24-byte window of the payload, of its samples as
// PCM16 and float32 at both rates, and base64, hexadecimal and decimal text of
// all of them. The searcher is always another process than the one searched,
// so that it can't find its own copy.
//
// What may be touched: processes and files that the test itself started or
// made. Nothing here shows a sample: a find is told as a place and a count.
package forensic
