package supervisor

import (
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"testing"
)

// What a reload has left behind goes back; a small process is left alone.
func TestTrim(t *testing.T) {
	held := func() uint64 {
		s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64() - s[1].Value.Uint64()
	}
	collections := func() uint64 {
		s := []metrics.Sample{{Name: "/gc/cycles/forced:gc-cycles"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	percent := func() int {
		is := debug.SetGCPercent(small)
		debug.SetGCPercent(is)
		return is
	}
	defer debug.SetGCPercent(percent())
	trim() // after other tests
	before := collections()
	readingAhead()
	if got := percent(); got != whileReading {
		t.Errorf("%d %% while reading", got)
	}
	trim()
	if collections() != before {
		t.Error("a collection for nothing")
	}
	if got := percent(); got != small {
		t.Errorf("%d %% with little", got)
	}
	if garbage := slices.Repeat([]byte{1}, 3*roomy); garbage[roomy] != 1 || held() < 3*roomy {
		t.Fatal("nothing to trim")
	}
	trim()
	if got := percent(); got != atRest {
		t.Errorf("%d %% with much", got)
	}
	if now := held(); now > roomy {
		t.Errorf("%d MB are held still", now>>20)
	}
}
