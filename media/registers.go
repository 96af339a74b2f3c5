//go:build !amd64

package media

// forgetRegisters does nothing here: what a copy leaves in the registers of
// this kind of machine is cleared by nobody.
func forgetRegisters() {}
