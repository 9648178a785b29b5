package vrrp

import (
	"context"
	"reflect"

	"github.com/lvsd/lvsd/config"
)

// Track runs a vrrp_script again and again until ctx ends and reports each new
// verdict about it, after rise and fall. Last is the verdict of a predecessor
// with the same command, nil when there is none: a reload changes nothing that
// is known.
type Track func(ctx context.Context, script config.TrackScript, last *bool, report func(up bool))

// script is a vrrp_script that runs.
type script struct {
	cfg    config.TrackScript
	cancel context.CancelFunc
	last   *bool
}

// syncScripts starts and stops scripts so that every one that is tracked runs.
func (r *Runner) syncScripts(cfg *config.Config) {
	want := make(map[string]config.TrackScript)
	for _, s := range cfg.Scripts {
		if tracked(cfg, s.Name) {
			want[s.Name] = s
		}
	}
	for name, s := range r.scripts {
		if _, ok := want[name]; !ok {
			s.cancel()
			delete(r.scripts, name)
		}
	}
	for name, next := range want {
		was := r.scripts[name]
		if was != nil && sameBlock(was.cfg, next) {
			continue
		}
		var last *bool
		if was != nil {
			was.cancel()
			if sameCommand(was.cfg.Script, next.Script) {
				last = was.last
			}
		}
		r.startScript(next, last)
	}
}

// startScript runs a script beside the loop. Verdicts of a script that has
// been replaced meanwhile are dropped.
func (r *Runner) startScript(cfg config.TrackScript, last *bool) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &script{cfg: cfg, cancel: cancel, last: last}
	r.scripts[cfg.Name] = s
	if r.track == nil {
		return
	}
	report := func(up bool) {
		verdict := func() {
			if r.scripts[cfg.Name] == s {
				r.tracked(cfg.Name, up)
			}
		}
		select {
		case r.calls <- verdict:
		case <-ctx.Done():
		}
	}
	r.tracking.Go(func() { r.track(ctx, cfg, last, report) })
}

// tracked says that an instance or a sync group tracks the script.
func tracked(cfg *config.Config, name string) bool {
	for i := range cfg.Instances {
		if tracks(cfg.Instances[i].TrackScript, name) {
			return true
		}
	}
	for i := range cfg.Groups {
		if tracks(cfg.Groups[i].TrackScript, name) {
			return true
		}
	}
	return false
}

func tracks(list []config.Track, name string) bool {
	for i := range list {
		if list[i].Name == name {
			return true
		}
	}
	return false
}

// sameBlock compares what the blocks say, wherever they say it.
func sameBlock(a, b config.TrackScript) bool {
	a.Origin, b.Origin = config.Origin{}, config.Origin{}
	a.Script.Origin, b.Script.Origin = config.Origin{}, config.Origin{}
	return reflect.DeepEqual(a, b)
}

func sameCommand(a, b config.Command) bool {
	a.Origin, b.Origin = config.Origin{}, config.Origin{}
	return reflect.DeepEqual(a, b)
}
