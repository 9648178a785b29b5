package procwatch

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// Watcher counts the processes of all that follow some.
type Watcher struct {
	log    *zap.Logger
	proc   proc
	buffer int // of events, in bytes

	wanted chan struct{} // holds a token when somebody follows

	mu        sync.Mutex
	followers map[*follower]bool
}

// follower is a vrrp_track_process that is followed.
type follower struct {
	quorum quorum
	pids   map[int]bool // that match
	wake   chan struct{}
}

// New makes a watcher that reads the proc file system at root. Before Run only
// the first count of a process is known.
func New(log *zap.Logger, root string) *Watcher {
	return &Watcher{log: log, proc: proc{root, os.Getpid()}, buffer: receiveBuffer, wanted: make(chan struct{}, 1), followers: make(map[*follower]bool)}
}

// Follow reports whether the processes of t run in the right number, at once
// and whenever that changes, until ctx ends.
func (w *Watcher) Follow(ctx context.Context, t config.TrackProcess, report func(up bool)) {
	f := &follower{quorum: quorum{cfg: t}, pids: make(map[int]bool), wake: make(chan struct{}, 1)}
	w.begin(f)
	defer w.end(f)
	select {
	case w.wanted <- struct{}{}:
	default:
	}
	var last *bool
	for {
		up, due := w.verdict(f)
		if last == nil || *last != up {
			if last != nil {
				w.log.Info(fmt.Sprintf("Quorum %s for tracked process %s", map[bool]string{true: "gained", false: "lost"}[up], t.Name))
			}
			last = &up
			report(up)
			continue // it took its time
		}
		var timer <-chan time.Time
		if !due.IsZero() {
			timer = time.After(time.Until(due))
		}
		select {
		case <-f.wake:
		case <-timer:
		case <-ctx.Done():
			return
		}
	}
}

// begin counts for the first time. Whatever happens meanwhile comes as an event
// later, and it does no harm to hear of something twice.
func (w *Watcher) begin(f *follower) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.followers[f] = true
	all, err := w.proc.all(wantsArgs(&f.quorum.cfg))
	if err != nil {
		w.log.Error("count processes", zap.String("track process", f.quorum.cfg.Name), zap.Error(err))
	}
	for pid, p := range all {
		if matches(&f.quorum.cfg, &p) {
			f.pids[pid] = true
		}
	}
	f.quorum.up = f.quorum.achieved(len(f.pids))
}

func (w *Watcher) end(f *follower) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.followers, f)
}

// Count is how a vrrp_track_process stands.
type Count struct {
	Processes int  // that match
	Quorum    bool // they are neither too few nor too many, delays included
}

// Counts are those of all that are followed, by their name.
func (w *Watcher) Counts() map[string]Count {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make(map[string]Count, len(w.followers))
	for f := range w.followers {
		all[f.quorum.cfg.Name] = Count{len(f.pids), f.quorum.up}
	}
	return all
}

func (w *Watcher) verdict(f *follower) (up bool, due time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f.quorum.fire(time.Now())
	return f.quorum.up, f.quorum.due
}

// changed is for a new number of processes.
func (f *follower) changed(why cause) {
	now := time.Now()
	f.quorum.fire(now)
	f.quorum.step(now, len(f.pids), why)
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// wantArgs says that somebody compares command lines.
func (w *Watcher) wantArgs() bool {
	for f := range w.followers {
		if wantsArgs(&f.quorum.cfg) {
			return true
		}
	}
	return false
}

// exec: a process runs another program, or has another name.
func (w *Watcher) exec(pid int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.followers) == 0 {
		return
	}
	p, alive := w.proc.read(pid, w.wantArgs())
	for f := range w.followers {
		is := alive && matches(&f.quorum.cfg, &p)
		switch {
		case is == f.pids[pid]:
			continue
		case is:
			f.pids[pid] = true
		default:
			delete(f.pids, pid)
		}
		f.changed(began)
	}
}

// fork: a new process is at first what its parent is.
func (w *Watcher) fork(parent, child int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for f := range w.followers {
		if f.pids[parent] && !f.pids[child] {
			f.pids[child] = true
			f.changed(forked)
		}
	}
}

// exit: a process is no more.
func (w *Watcher) exit(pid int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for f := range w.followers {
		if f.pids[pid] {
			delete(f.pids, pid)
			f.changed(ended)
		}
	}
}

// recount reads what runs now, for who has no events or lost some.
func (w *Watcher) recount() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.followers) == 0 {
		return nil
	}
	all, err := w.proc.all(w.wantArgs())
	if err != nil {
		return err
	}
	for f := range w.followers {
		f.recount(all)
	}
	return nil
}

func (f *follower) recount(all map[int]process) {
	now, why := make(map[int]bool), forked
	for pid, p := range all {
		if !matches(&f.quorum.cfg, &p) {
			continue
		}
		now[pid] = true
		if parent, ok := all[p.parent]; !f.pids[pid] && !(ok && matches(&f.quorum.cfg, &parent)) {
			why = began
		}
	}
	same := len(now) == len(f.pids)
	for pid := range now {
		same = same && f.pids[pid]
	}
	if len(now) < len(f.pids) {
		why = ended
	}
	if f.pids = now; !same {
		f.changed(why)
	}
}

// pollInterval is how often /proc is read where the kernel tells nothing.
const pollInterval = time.Second

// Enlarge makes the buffer for events hold at least so many bytes. It is called
// before Run.
func (w *Watcher) Enlarge(bytes int) { w.buffer = max(w.buffer, bytes) }

// Run keeps the counts true until ctx ends. It asks the kernel for nothing
// before somebody follows a process: a busy machine has many.
func (w *Watcher) Run(ctx context.Context) error {
	select {
	case <-w.wanted:
	case <-ctx.Done():
		return nil
	}
	err := w.listen(ctx)
	if ctx.Err() != nil {
		return nil
	}
	w.log.Info(fmt.Sprintf("the kernel does not tell of processes here (%v), they are counted every %s", err, pollInterval))
	return w.poll(ctx)
}

func (w *Watcher) poll(ctx context.Context) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for failed := false; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		err := w.recount()
		if err != nil && !failed {
			w.log.Error("count processes", zap.Error(err))
		}
		failed = err != nil
	}
}
