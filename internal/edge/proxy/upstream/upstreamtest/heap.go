package upstreamtest

import "runtime"

// heap is the memory in use after a thorough collection. Twice, because pools
// give their content up in two steps.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
