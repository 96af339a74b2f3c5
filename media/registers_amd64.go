package media

import "golang.org/x/sys/cpu"

func clearAVX()
func clearSSE()

// forgetRegisters clears the vector registers of the calling thread. A copy
// leaves what it moved in them, up to 512 bytes, until the next long copy: a
// core file of a crash minutes later would show it.
func forgetRegisters() {
	if cpu.X86.HasAVX {
		clearAVX()
		return
	}
	clearSSE()
}
