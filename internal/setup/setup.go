// Package setup holds the shell scripts of the Makefile: what is installed
// (install.sh), which Go is needed (go.sh), how one lane of the tests runs
// (lane.sh), every fuzz target (fuzz.sh) and known vulnerabilities (vuln.sh).
// It has no code of its own; its tests run the scripts.
package setup
