package supervisor

import (
	"runtime/debug"
	"runtime/metrics"
)

// roomy is how much memory, in bytes, a process may hold without a look at what
// of it is in use. Less is not worth a collection.
const roomy = 64 << 20

// trim gives back what it took to read a configuration and to compare it with
// the one before: at ten thousands of real servers that is more than what stays.
func trim() {
	held := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(held)
	if held[0].Value.Uint64()-held[1].Value.Uint64() > roomy {
		debug.FreeOSMemory()
	}
}
