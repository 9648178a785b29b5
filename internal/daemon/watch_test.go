package daemon

import (
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What has ended a process is known as long as its parent has not asked, and,
// where the kernel tells it, after that.
func TestEndedBy(t *testing.T) {
	var told bool // this kernel tells
	for _, test := range []struct {
		script string
		want   syscall.Signal
	}{{"kill -TERM $$", unix.SIGTERM}, {"kill -ABRT $$", unix.SIGABRT}, {"exit 1", 0}, {"exit 15", 0}} {
		for _, reaped := range []bool{false, true} {
			c := exec.Command("sh", "-c", "read go; "+test.script)
			in, err := c.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			w, err := Watch(c.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			_ = in.Close()
			<-w.Ended
			if reaped {
				_ = c.Wait() // it says what w is to say
			}
			by, ok := w.EndedBy()
			told = told || reaped && ok
			if by != test.want || !ok && (!reaped || told) {
				t.Errorf("%s, reaped: %v: signal %d, %v", test.script, reaped, by, ok)
			}
			if !reaped {
				_ = c.Wait()
			}
			_ = unix.Close(w.fd)
		}
	}
}
