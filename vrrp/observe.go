package vrrp

import (
	"context"
	"reflect"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Observers watch what instances and sync groups track. Each function runs
// until ctx ends and reports every new verdict; without it verdicts come from
// [Runner.Tracked] alone.
type Observers struct {
	// Script runs a vrrp_script again and again. Last is the verdict of a
	// predecessor with the same command, nil when there is none: a reload
	// changes nothing that is known.
	Script func(ctx context.Context, script config.TrackScript, last *bool, report func(up bool))

	// File reads a track_file, Process counts those of a vrrp_track_process.
	// Both report what they find at once: whoever tracks it starts with that.
	File    func(ctx context.Context, file config.TrackFile, report func(value int))
	Process func(ctx context.Context, process config.TrackProcess, report func(up bool))

	// BFD follows a bfd_instance. It reports its state at once, too.
	BFD func(ctx context.Context, session config.BFDInstance, report func(up bool))
}

// firstVerdict is what a file or a process is waited for before the instances
// start that track it: it may be behind a file system that hangs.
const firstVerdict = time.Second

// watched is something tracked.
type watched struct {
	cfg    any // its block; nil before the configuration names it
	cancel context.CancelFunc
	last   *Tracked
	first  chan struct{} // closed with the first verdict
}

// syncObservers begins and ends to watch so that everything that is tracked
// is watched. The channels are closed when what begins now is known. Scripts
// take their time, so that they do not begin before the instances have started.
func (r *Runner) syncObservers(cfg *config.Config, scripts bool) (known []<-chan struct{}) {
	want := observed(cfg)
	for object, o := range r.observers {
		if _, ok := want[object]; !ok {
			o.cancel()
			delete(r.observers, object)
		}
	}
	for object, next := range want {
		if (object.Kind == Script) != scripts {
			continue
		}
		was := r.observers[object]
		if was != nil && sameBlock(was.cfg, next) {
			continue
		}
		var last *Tracked
		if was != nil {
			was.cancel()
			if was.cfg == nil || object.Kind == BFD || sameCommand(was.cfg, next) {
				last = was.last
			}
		}
		if o := r.observe(object, next, last); o != nil {
			known = append(known, o.first)
		}
	}
	return known
}

// observe watches an object beside the loop. Verdicts of an observer that has
// been replaced meanwhile are dropped.
func (r *Runner) observe(object Object, cfg any, last *Tracked) *watched {
	ctx, cancel := context.WithCancel(context.Background())
	o := &watched{cfg: cfg, cancel: cancel, last: last, first: make(chan struct{})}
	r.observers[object] = o
	if last != nil {
		close(o.first)
	}
	report := func(ev Tracked) {
		ev.Kind, ev.Name = object.Kind, object.Name
		told := make(chan struct{})
		r.post(&post{run: func() {
			defer close(told)
			if r.observers[object] == o {
				r.tracked(ev)
			}
		}})
		select {
		case <-told:
		case <-ctx.Done():
		}
	}
	watch := r.watch(ctx, o, report)
	if watch == nil {
		return nil
	}
	r.tracking.Go(watch)
	return o
}

// watch is what an observer does; nil when nobody does that.
func (r *Runner) watch(ctx context.Context, o *watched, report func(Tracked)) func() {
	up := func(up bool) { report(Tracked{Up: up}) }
	switch cfg := o.cfg.(type) {
	case config.TrackScript:
		if r.observes.Script == nil {
			return nil
		}
		var last *bool
		if o.last != nil {
			last = &o.last.Up
		}
		return func() { r.observes.Script(ctx, cfg, last, up) }
	case config.TrackFile:
		if r.observes.File == nil {
			return nil
		}
		return func() { r.observes.File(ctx, cfg, func(value int) { report(Tracked{Value: value}) }) }
	case config.TrackProcess:
		if r.observes.Process == nil {
			return nil
		}
		return func() { r.observes.Process(ctx, cfg, up) }
	case config.BFDInstance:
		if r.observes.BFD == nil {
			return nil
		}
		return func() { r.observes.BFD(ctx, cfg, up) }
	}
	return nil
}

// Tracked tells a verdict about something that is tracked.
func (r *Runner) Tracked(ev Tracked) error {
	return r.do(func() { r.tracked(ev) })
}

func (r *Runner) tracked(ev Tracked) {
	object := ev.Object()
	o := r.observers[object]
	if o == nil {
		o = &watched{cancel: func() {}, first: make(chan struct{})}
		r.observers[object] = o
	}
	if o.last == nil {
		close(o.first)
	}
	o.last = &ev
	for _, g := range r.concerned(object) {
		r.step(g, ev)
	}
}

// observed are the blocks of everything that an instance or a sync group
// tracks.
func observed(cfg *config.Config) map[Object]any {
	tracked := make(map[Object]bool)
	add := func(kind Kind, list []config.Track) {
		for i := range list {
			tracked[Object{kind, list[i].Name}] = true
		}
	}
	for i := range cfg.Instances {
		eachTrack(&cfg.Instances[i], add)
	}
	for i := range cfg.Groups {
		eachTrack(groupTracks(&cfg.Groups[i]), add)
	}
	want := make(map[Object]any)
	put := func(kind Kind, name string, block any) {
		if object := (Object{kind, name}); tracked[object] {
			want[object] = block
		}
	}
	for _, s := range cfg.Scripts {
		put(Script, s.Name, s)
	}
	for _, f := range cfg.Trackers.Files {
		put(File, f.Name, f)
	}
	for _, p := range cfg.Trackers.Processes {
		put(Process, p.Name, p)
	}
	for _, b := range cfg.Trackers.BFD {
		put(BFD, b.Name, b)
	}
	return want
}

// sameBlock compares what the blocks say, wherever they say it.
func sameBlock(a, b any) bool { return reflect.DeepEqual(placeless(a), placeless(b)) }

// sameCommand reports whether two scripts run the same command.
func sameCommand(a, b any) bool {
	x, isScript := placeless(a).(config.TrackScript)
	y, same := placeless(b).(config.TrackScript)
	return isScript && same && reflect.DeepEqual(x.Script, y.Script)
}

// placeless is a block without the place where it was written.
func placeless(block any) any {
	switch b := block.(type) {
	case config.TrackScript:
		b.Origin, b.Script.Origin = config.Origin{}, config.Origin{}
		return b
	case config.TrackFile:
		b.Origin = config.Origin{}
		return b
	case config.TrackProcess:
		b.Origin = config.Origin{}
		return b
	case config.BFDInstance:
		b.Origin = config.Origin{}
		return b
	}
	return block
}
