package notify

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvsd/lvsd/config"
)

// running starts a dispatcher; stop ends it as the supervisor does, and
// returns what it logged.
func running(t *testing.T, o Options) (d *Dispatcher, stop func() []string) {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	o.Log = zap.New(core)
	d = New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	return d, func() []string {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		noChildren(t)
		var lines []string
		for _, e := range logs.All() {
			lines = append(lines, e.Message)
		}
		return lines
	}
}

func instance(name, line string) *config.Instance {
	return &config.Instance{Name: name, Notify: new(command(line))}
}

func TestOrder(t *testing.T) {
	dir := t.TempDir()
	slow := script(t, dir, "slow", `echo "begin $4" >>$dir/$2; sleep 0.0$(($4 % 3)); echo "end $4" >>$dir/$2`)
	d, stop := running(t, Options{StopGrace: time.Minute})
	const changes = 100
	one, two := instance("VI_1", slow), instance("VI_2", slow)
	for i := range changes {
		state := config.Master
		if i%2 == 0 {
			state = config.Backup
		}
		d.Notify(InstanceEvent(one, state, i))
		if i < QueueLength {
			d.Notify(InstanceEvent(two, state, i))
		}
	}
	d.Notify(InstanceEvent(one, config.Stop, changes))
	logs := stop()
	for name, last := range map[string]int{"VI_1": changes, "VI_2": QueueLength - 1} {
		lines := strings.Fields(strings.ReplaceAll(read(t, dir+"/"+name), " ", "-"))
		previous := -1
		for i := 0; i+1 < len(lines); i += 2 {
			var n int
			if _, err := fmt.Sscanf(lines[i], "begin-%d", &n); err != nil || lines[i+1] != fmt.Sprintf("end-%d", n) || n <= previous {
				t.Fatalf("%s: out of order at %d: %q", name, i, lines)
			}
			previous = n
		}
		if previous != last {
			t.Errorf("%s: the last one is %d, want %d", name, previous, last)
		}
	}
	if told, skipped := len(strings.Fields(read(t, dir+"/VI_1")))/4, len(logs); told+skipped != changes+1 || told < QueueLength {
		t.Errorf("%d told and %d skipped of %d", told, skipped, changes+1)
	}
	if n := strings.Count(read(t, dir+"/VI_2"), "end"); n != QueueLength {
		t.Errorf("VI_2: %d told of %d", n, QueueLength)
	}
}

// A hanging script keeps nobody waiting but its own object, and not for ever.
func TestHanging(t *testing.T) {
	dir := t.TempDir()
	hang := script(t, dir, "hang", `test "$3" = MASTER || { echo "$3" >$dir/after; exit; }
trap '' TERM; echo $$ >$dir/pid; while :; do sleep 1; done`)
	ok := script(t, dir, "ok", `echo "$*" >$dir/told`)
	d, stop := running(t, Options{Timeout: 200 * time.Millisecond, StopGrace: time.Minute})
	d.Notify(InstanceEvent(instance("VI_1", hang), config.Master, 100))
	await(t, dir+"/pid")
	d.Notify(InstanceEvent(instance("VI_1", hang), config.Backup, 100))
	d.Notify(GroupEvent(&config.SyncGroup{Name: "G", Notify: command(ok)}, config.Master))
	if got := await(t, dir+"/told"); got != "GROUP G MASTER 0\n" {
		t.Errorf("got %q", got)
	}
	if got := await(t, dir+"/after"); got != "BACKUP\n" {
		t.Errorf("got %q", got)
	}
	if logs := stop(); len(logs) != 1 || logs[0] != "INSTANCE VI_1 MASTER: "+hang+": ended: it takes too long" {
		t.Errorf("logged %q", logs)
	}
}

// At the end a hanging script is given up, and STOP is told in any case.
func TestStop(t *testing.T) {
	dir := t.TempDir()
	line := script(t, dir, "script", `test "$3" = STOP && { echo "$*" >>$dir/stop; exit; }
trap '' TERM; echo $$ >>$dir/pid; while :; do sleep 1; done`)
	late := script(t, dir, "late", `trap '' TERM; echo x >$dir/late; while :; do sleep 1; done`)
	d, stop := running(t, Options{StopGrace: time.Hour, LastWord: 500 * time.Millisecond})
	d.Grace(50 * time.Millisecond)
	one, two := instance("VI_1", line), instance("VI_2", late)
	d.Notify(InstanceEvent(one, config.Master, 100))
	await(t, dir+"/pid")
	d.Notify(InstanceEvent(one, config.Backup, 100))
	d.Notify(InstanceEvent(one, config.Stop, 100))
	d.Notify(InstanceEvent(two, config.Stop, 100))
	logs := stop()
	if got := read(t, dir+"/stop"); got != "INSTANCE VI_1 STOP 100\n" {
		t.Errorf("STOP told: %q, log %q", got, logs)
	}
	if got := read(t, dir+"/pid"); strings.Count(got, "\n") != 1 {
		t.Errorf("BACKUP was told after the end: %q", logs)
	}
	d.Notify(InstanceEvent(one, config.Master, 100)) // nobody is left to tell it
	if len(d.ready) != 0 {
		t.Error("an event after the end is queued")
	}
}

func TestEvents(t *testing.T) {
	i := &config.Instance{
		Name: "VI_1", Notify: new(command("any")), NotifyMaster: new(command("master")), NotifyBackup: new(command("backup")),
		NotifyFault: new(command("fault")), NotifyStop: new(command("stop")), NotifyMasterRxLowerPri: new(command("lower")),
	}
	deleted, bare := *i, *i
	deleted.NotifyDeleted = config.Some(new(command("deleted")))
	bare.NotifyDeleted.Set = true
	g := &config.SyncGroup{Name: "G", Notify: command("any"), NotifyMaster: command("master"), NotifyStop: command("stop")}
	up, down := command("up 1"), command("down")
	s := &config.Server{Addr: config.ServiceKey{}.Addr, NotifyUp: &up, NotifyDown: &down}
	for _, tc := range []struct {
		e    Event
		want string
	}{
		{InstanceEvent(i, config.Master, 101), "INSTANCE VI_1 MASTER: master []; any [INSTANCE VI_1 MASTER 101]; "},
		{InstanceEvent(i, config.Backup, 99), "INSTANCE VI_1 BACKUP: backup []; any [INSTANCE VI_1 BACKUP 99]; "},
		{InstanceEvent(i, config.Fault, 1), "INSTANCE VI_1 FAULT: fault []; any [INSTANCE VI_1 FAULT 1]; "},
		{InstanceEvent(i, config.Stop, 1), "INSTANCE VI_1 STOP: stop []; any [INSTANCE VI_1 STOP 1]; "},
		{InstanceEvent(i, config.Deleted, 1), "INSTANCE VI_1 FAULT: fault []; any [INSTANCE VI_1 FAULT 1]; "},
		{InstanceEvent(&deleted, config.Deleted, 1), "INSTANCE VI_1 DELETED: deleted []; any [INSTANCE VI_1 DELETED 1]; "},
		{InstanceEvent(&bare, config.Deleted, 1), "INSTANCE VI_1 DELETED: any [INSTANCE VI_1 DELETED 1]; "},
		{InstanceEvent(&config.Instance{Name: "x"}, config.Master, 1), "INSTANCE x MASTER: "},
		{LowerPriorityEvent(i), "INSTANCE VI_1 MASTER_RX_LOWER_PRI: lower []; "},
		{GroupEvent(g, config.Master), "GROUP G MASTER: master []; any [GROUP G MASTER 0]; "},
		{GroupEvent(g, config.Backup), "GROUP G BACKUP: any [GROUP G BACKUP 0]; "},
		{GroupEvent(g, config.Stop), "GROUP G STOP: stop []; any [GROUP G STOP 0]; "},
		{ServerEvent(config.ServiceKey{Protocol: config.TCP}, s, true), "UP: up 1 []; "},
		{ServerEvent(config.ServiceKey{Protocol: config.TCP}, s, false), "DOWN: down []; "},
	} {
		got := fmt.Sprintf("%s %s: ", tc.e.Object, tc.e.What)
		for _, c := range tc.e.Calls {
			got += fmt.Sprintf("%s %v; ", c.Command.Line, c.Args)
		}
		if !strings.HasSuffix(got, tc.want) {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

func TestQueue(t *testing.T) {
	var q queue
	what := func() (s string) {
		for _, e := range q.pending {
			s += e.What + " "
		}
		return strings.TrimSpace(s)
	}
	lower := Event{What: "LOWER", Repeats: true}
	q.push(Event{What: "0"})
	for range 100 {
		q.push(lower)
	}
	if got := what(); got != "0 LOWER" {
		t.Errorf("repeated events: %q", got)
	}
	given := ""
	for i := range QueueLength {
		if e, skipped := q.push(Event{What: fmt.Sprint(i + 1)}); skipped {
			given += e.What + " "
		}
	}
	if given != "0 LOWER " {
		t.Errorf("given up: %q", given)
	}
	if got := what(); got != "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16" {
		t.Errorf("full: %q", got)
	}
	if e, skipped := q.push(lower); !skipped || e.What != "LOWER" {
		t.Errorf("%q given up for an event that is no state", e.What)
	}
	q.pop()
	q.push(lower)
	q.keepLast()
	if got := what(); got != "16" {
		t.Errorf("the last state is %q", got)
	}
}

// Many objects at once: bounded, all told, nothing left.
func TestManyObjects(t *testing.T) {
	dir := t.TempDir()
	line := script(t, dir, "touch", `: >$dir/done.$2`)
	d, stop := running(t, Options{StopGrace: time.Minute})
	const objects = Parallel + 50
	for i := range objects {
		d.Notify(InstanceEvent(instance(fmt.Sprintf("VI_%d", i), line), config.Master, 100))
	}
	stop()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != objects+1 {
		t.Errorf("%d of %d told", len(entries)-1, objects)
	}
	if len(d.queues) != 0 {
		t.Errorf("%d queues left", len(d.queues))
	}
}
