package lvs

import (
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/e2e/rig"
)

// The clock of the machine is set back by an hour, two hours forward, and right
// again: nobody takes over or resigns, and real servers that die meanwhile
// leave and return as ever. Each time is said once.
func TestClock(t *testing.T) {
	c, _ := lifecycleCluster(t)
	master, backup := elect(t, c)
	masterMark, backupMark := master.Mark(), backup.Mark()
	vip := c.Plan.Services[0]
	for step, by := range []time.Duration{-time.Hour, 2 * time.Hour, -time.Hour} {
		setClock(t, by)
		time.Sleep(masterDown + 2*advertEvery)
		if step < 2 {
			dieAndReturn(t, c, vip.VIP, vip.Real[0])
		}
	}
	for d, mark := range map[*rig.Daemon]int{master: masterMark, backup: backupMark} {
		var said []string
		for _, line := range d.Lines(mark) {
			if _, after, ok := strings.Cut(line.Text, "the clock was set "); ok {
				said = append(said, strings.TrimSuffix(after, ", timers go on as before"))
			}
			if strings.Contains(line.Text, "Entering ") || strings.Contains(line.Text, "advert") {
				t.Errorf("%s: %s", d, line.Text)
			}
		}
		if want := []string{"back by 1h0m0s", "forward by 2h0m0s", "back by 1h0m0s"}; !slices.Equal(said, want) {
			t.Errorf("%s says of the clock %q, want %q", d, said, want)
		}
	}
	holds(t, c, 0, c.Plan.VIPs...)
	evenly(t, c)
}

// setClock moves CLOCK_REALTIME, clock_settime(2).
func setClock(t *testing.T, by time.Duration) {
	t.Helper()
	then := unix.NsecToTimespec(time.Now().Add(by).UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &then); err != nil {
		t.Fatal(err)
	}
}
