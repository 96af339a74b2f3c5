// Package endtoend tests the real binary, from outside: sipp and baresip call
// it, a hundred callers call it at once, it is killed in mid-call, and every
// command of the README is run. Its tests stand behind the build tag endtoend
// and need build/lethe with its helpers (make build).
package endtoend
