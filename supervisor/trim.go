package supervisor

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
)

// roomy is how much memory, in bytes, a process may hold without a look at what
// of it is in use. Less is not worth a collection.
const roomy = 24 << 20

// How much garbage there may be, in percent of what is in use. To read a
// configuration, to compare it with the one before and to apply it makes much of
// it at once, and what is kept meanwhile grows: collecting it before the end is for
// nothing. A large configuration that runs makes little; to take it back says a
// line about each real server, and then there is nothing to collect for.
const (
	whileReading = 200
	whileEnding  = 200
	atRest       = 50
	small        = 100 // the runtime's own
)

// readingAhead is to be called before a configuration is read, and trim after
// it has been applied.
func readingAhead() { letGarbage(whileReading) }

// letGarbage does nothing where GOGC has said how much.
func letGarbage(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// trim gives back what it took to read a configuration and to compare it with
// the one before: at ten thousands of real servers that is more than what stays.
func trim() {
	held := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(held)
	if held[0].Value.Uint64()-held[1].Value.Uint64() <= roomy {
		letGarbage(small)
		return
	}
	letGarbage(atRest)
	debug.FreeOSMemory()
}
