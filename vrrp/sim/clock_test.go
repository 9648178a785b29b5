package sim

import (
	"testing"
	"time"
)

// A moment has two clocks, and package time knows which is for what.
func TestMoment(t *testing.T) {
	a, b := moment(time.Hour, time.Second), moment(-time.Hour, 3*time.Second)
	if got := b.Sub(a); got != 2*time.Second || !a.Before(b) || b.Before(a) {
		t.Errorf("b is %s after a", got)
	}
	if got := a.Unix() - b.Unix(); got != 7200 {
		t.Errorf("the wall clock of a is %d s ahead", got)
	}
	if got := a.Add(time.Minute).Sub(epoch); got != 61*time.Second {
		t.Errorf("a minute after a is %s", got)
	}
	if got := epoch.Unix(); got != 1704067200 {
		t.Errorf("epoch is %d", got)
	}
}
