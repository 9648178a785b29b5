package vrrp

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// TestFlood: 100,000 adverts a second that must be rejected cost a master and
// its backup less than a quarter of a processor each, no advert is late, and
// nobody changes its state. Nothing runs beside it.
func TestFlood(t *testing.T) {
	const rate, length, share = 100_000, 5 * time.Second, 0.25
	liar := [6]byte{2, 0, 0, 0, 0, 0x66}
	for _, c := range []struct {
		name   string
		i      instance
		frames func() []forgery
		reason string
	}{
		{"checksum", instance{version: 3, advert: "0.1"}, func() []forgery { return forgeries(3) }, "checksum"},
		{"TTL", instance{version: 3, advert: "0.1"}, func() []forgery { return forgeries(3) }, "TTL"},
		{"password", instance{pass: "s3cret"}, func() []forgery { return forgeries(2) }, "password"},
		{"AH", instance{ah: "s3cret"}, func() []forgery { return headed("s3cret") }, "password"},
		{"all", instance{version: 3, advert: "0.1"}, func() []forgery { return forgeries(3) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSegment(t)
			high, low := c.i, c.i
			high.priority, low.priority = 150, 100
			master, backup, attacker := s.router(1), s.router(2), s.router(66)
			for _, r := range []*router{master, backup, attacker} {
				if err := r.wire.Ignore(liar); err != nil {
					t.Fatal(err)
				}
			}
			master.run(rig.Binary(), high)
			backup.run(rig.Binary(), low)
			master.becomes(0, "VI_1", "MASTER", high.down()+patience)
			master.owns(true, patience)
			backup.owns(false, patience)
			time.Sleep(2 * time.Second)
			var frames [][]byte
			for _, f := range c.frames() {
				if c.reason == "" || f.reason == c.reason {
					frames = append(frames, f.frame)
				}
			}
			marks := [2]int{master.Mark(), backup.Mark()}
			before := [2]time.Duration{master.CPU(), backup.CPU()}

			began := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), length)
			defer cancel()
			sent, err := attacker.wire.Flood(ctx, frames, rate)
			if err != nil {
				t.Fatal(err)
			}
			took := time.Since(began)
			for n, r := range []*router{master, backup} {
				used := float64(r.CPU()-before[n]) / float64(took)
				t.Logf("%s: %d adverts a second cost %.1f %% of a processor", r, int(float64(sent)/took.Seconds()), 100*used)
				if allowed := share * max(1, float64(sent)/took.Seconds()/rate); used > allowed {
					t.Errorf("%s: that is more than %.0f %%", r, 100*allowed)
				}
				if states := r.states(marks[n]); len(states) > 0 {
					t.Errorf("%s: changes of state: %q", r, states)
				}
			}
			adverts := slices.DeleteFunc(master.sent(began), func(a rig.Advert) bool { return a.At.After(began.Add(took)) })
			t.Logf("gaps between adverts: %s", spread(adverts))
			if least := int(took/high.interval()) - 1; len(adverts) < least {
				t.Errorf("%d adverts in %s, want %d", len(adverts), took, least)
			}
			for n := 1; n < len(adverts); n++ {
				if gap := adverts[n].At.Sub(adverts[n-1].At); gap > high.interval()*3/2 {
					t.Errorf("%s between two adverts, want %s", gap, high.interval())
				}
			}
		})
	}
}

// spread describes the gaps between adverts.
func spread(adverts []rig.Advert) string {
	var gaps []time.Duration
	for i := 1; i < len(adverts); i++ {
		gaps = append(gaps, adverts[i].At.Sub(adverts[i-1].At))
	}
	if len(gaps) == 0 {
		return "none"
	}
	slices.Sort(gaps)
	var b strings.Builder
	for _, q := range []struct {
		name string
		of   float64
	}{{"shortest", 0}, {"1%", 0.01}, {"median", 0.5}, {"99%", 0.99}, {"99.9%", 0.999}, {"longest", 1}} {
		fmt.Fprintf(&b, "%s %s, ", q.name, gaps[int(q.of*float64(len(gaps)-1))].Round(10*time.Microsecond))
	}
	fmt.Fprintf(&b, "of %d", len(gaps))
	return b.String()
}

// TestFloodOfLower: with 50,000 valid adverts a second of a lower priority there are
// two adverts in an interval at the most, the one that is due included, and one
// burst of announcements; it is said once a second. Nothing runs beside it.
func TestFloodOfLower(t *testing.T) {
	const rate, length = 50_000, 3 * time.Second
	i := instance{version: 3, advert: "0.1", priority: 150}
	s := newSegment(t)
	r, attacker := s.router(1), s.router(66)
	for _, one := range []*router{r, attacker} {
		if err := one.wire.Ignore([6]byte{2, 0, 0, 0, 0, 0x66}); err != nil {
			t.Fatal(err)
		}
	}
	r.run(rig.Binary(), i)
	r.owns(true, i.down()+patience)
	time.Sleep(5*time.Second + busy) // the second burst
	mark, began := r.Mark(), time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	sent, err := attacker.wire.Flood(ctx, [][]byte{validAdvert(3, 50).frame()}, rate)
	if err != nil {
		t.Fatal(err)
	}
	ended := time.Now()
	intervals := int(ended.Sub(began)/i.interval()) + 1
	adverts, announced := 0, 0
	for _, f := range r.wire.Frames() {
		switch {
		case !f.Sent || f.At.Before(began) || f.At.After(ended):
		case isAdvert(f.Data):
			adverts++
		case isGratuitous(f.Data):
			announced++
		}
	}
	lines := 0 // -D has one for each announcement besides
	for _, line := range r.Lines(mark) {
		if strings.Contains(line.Text, "lower priority") {
			lines++
		}
	}
	t.Logf("%d adverts in %s: %d adverts and %d announcements in %d intervals, %d lines", sent, ended.Sub(began), adverts, announced, intervals, lines)
	if adverts > 2*(intervals+1) || adverts < intervals-1 {
		t.Errorf("%d adverts in %d intervals", adverts, intervals)
	}
	const burst = 5 // garp_lower_prio_repeat
	if announced > burst*(intervals+1) {
		t.Errorf("%d announcements in %d intervals", announced, intervals)
	}
	if most := int(ended.Sub(began)/time.Second) + 1; lines < 1 || lines > most {
		t.Errorf("%d lines in the log, want at most %d", lines, most)
	}
	if states := r.states(mark); len(states) > 0 {
		t.Errorf("changes of state: %q", states)
	}
}
