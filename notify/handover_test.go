package notify

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

func throughJSON[T any](t *testing.T, v T) (again T) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &again)
	}
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// A pipe that goes on in another program is the same one: what nobody has read
// is still there, and so is what had no room; it is removed at the end. One that
// the other program does not have is closed and removed at once.
func TestFIFOHandover(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "fifo"), filepath.Join(dir, "other")
	was := NewFIFOs(zap.NewNop())
	was.Apply(config.FIFOs{VRRPNotify: config.FIFO{Path: path}, LVSNotify: config.FIFO{Path: other}})
	was.VRRP(vi("A"), "MASTER", 7, false)
	for range 10_000 {
		was.VRRP(vi("B"), "BACKUP", 7, false)
	}
	h := was.Handover()
	if len(h) != 2 || len(h[0].Pending) != 1 || h[0].Lost == 0 {
		t.Fatalf("handed over: %+v", h)
	}
	for i := range h { // as a program that is executed has it: other numbers are closed
		fd, err := unix.Dup(h[i].FD)
		if err != nil {
			t.Fatal(err)
		}
		h[i].FD = fd
	}
	was.each(func(p *pipe) { // the old program's
		_ = unix.Close(p.fd)
		p.fd, p.created = -1, false
	})

	next := newPiped(t)
	next.TakeOver(throughJSON(t, h))
	next.Apply(config.FIFOs{VRRPNotify: config.FIFO{Path: path}})
	if _, err := os.Stat(other); !os.IsNotExist(err) {
		t.Errorf("a pipe that nobody wants is there: %v", err)
	}
	lines := reader(t, path)
	if !lines.Scan() || lines.Text() != `INSTANCE "A" MASTER 7` {
		t.Errorf("read %q", lines.Text())
	}
	next.each(func(p *pipe) { p.again() })
	next.VRRP(vi("C"), "FAULT", 7, false)
	for lines.Scan() && !strings.Contains(lines.Text(), "FAULT") {
	}
	next.each(func(p *pipe) {
		if len(p.pending) > 0 {
			t.Errorf("still waiting: %v", p.pending)
		}
	})
	next.stop()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the pipe is left: %v", err)
	}
}

// Mails that wait are sent by the other program, and what has been told is not
// told again.
func TestMailHandover(t *testing.T) {
	m := NewMailer(MailOptions{Log: zap.NewNop(), Host: "h"})
	c := &config.Config{Instances: []config.Instance{{Name: "A"}}}
	c.Global.SMTPServer = "192.0.2.1"
	c.Global.NotificationEmail = []string{"a@example.net"}
	m.Apply(c)
	e := Event{Object: vi("A"), What: "MASTER", Mail: true}
	m.State(e)
	if m.Idle() {
		t.Fatal("no mail waits")
	}
	next := NewMailer(MailOptions{Log: zap.NewNop(), Host: "h"})
	next.TakeOver(throughJSON(t, m.Handover()))
	next.Apply(c)
	next.State(e)
	if len(next.queue) != 1 || next.queue[0].subject != m.queue[0].subject || next.queue[0].body != m.queue[0].body || !next.queue[0].at.Equal(m.queue[0].at) {
		t.Errorf("waiting: %+v", next.queue)
	}
}
