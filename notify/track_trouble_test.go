package notify

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Scripts that do not end have failed at their timeout, whatever it takes to
// end them, and run again afterwards; never two at a time.
func TestTrackerTrouble(t *testing.T) {
	for name, body := range map[string]string{
		"hangs":           `while :; do sleep 1; done`,
		"ignores SIGTERM": `trap '' TERM; while :; do sleep 1; done`,
		"floods":          `trap '' TERM; while :; do echo flood; echo flood >&2; done`,
		"forks":           `for i in 1 2 3 4 5 6 7 8 9 10; do (trap '' TERM; sleep 86398) & done; wait`,
		"stops itself":    `kill -STOP $$`,
		"closes all":      `exec <&- >&- 2>&-; while :; do /bin/sleep 1; done`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			begin := `test -e $dir/pid && kill -0 $(cat $dir/pid) 2>/dev/null && echo twice >>$dir/log
echo $$ >$dir/pid; echo begin >>$dir/log; test -e $dir/good && exit 0` + "\n"
			s := config.TrackScript{Name: "s", Interval: 100 * time.Millisecond, Rise: 1, Fall: 1}
			s.Timeout.Value = 500 * time.Millisecond // a busy machine needs a while for the first line
			s.Script = command(script(t, dir, "run", begin+body))
			verdicts := make(chan bool, 100)
			tr := Tracker{Script: s, Report: func(up bool) { verdicts <- up }}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- tr.Run(ctx) }()
			if <-verdicts {
				t.Error("up is the first verdict")
			}
			script(t, dir, "good", "")
			if !<-verdicts {
				t.Error("down is the second verdict")
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if log := read(t, dir+"/log"); strings.Contains(log, "twice") || strings.Count(log, "begin") < 2 {
				t.Errorf("runs: %q", log)
			}
		})
	}
}
