package supervisor

import (
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
	trim() // after other tests
	before := collections()
	trim()
	if collections() != before {
		t.Error("a collection for nothing")
	}
	if garbage := slices.Repeat([]byte{1}, 3*roomy); garbage[roomy] != 1 || held() < 3*roomy {
		t.Fatal("nothing to trim")
	}
	trim()
	if now := held(); now > roomy {
		t.Errorf("%d MB are held still", now>>20)
	}
}
