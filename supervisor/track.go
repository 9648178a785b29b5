package supervisor

import (
	"context"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/bfd"
	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/filewatch"
	"github.com/lvsd/lvsd/internal/procwatch"
	"github.com/lvsd/lvsd/notify"
	"github.com/lvsd/lvsd/vrrp"
)

// watchers look at the world for all who want to know.
type watchers struct {
	files     *filewatch.Watcher
	processes *procwatch.Watcher
	sessions  *bfd.Runner
}

// observers let others find out what vrrp wants to know of what it tracks.
func observers(log *zap.Logger, w watchers) vrrp.Observers {
	return vrrp.Observers{
		Script: func(ctx context.Context, script config.TrackScript, last *bool, report func(up bool)) {
			t := notify.Tracker{Script: script, Log: log, Report: report}
			switch {
			case last == nil:
			case *last:
				t.Last = notify.Up
			default:
				t.Last = notify.Down
			}
			if err := t.Run(ctx); err != nil {
				log.Error("track script "+script.Name, zap.Error(err))
			}
		},
		File: func(ctx context.Context, file config.TrackFile, report func(value int)) {
			w.files.Follow(ctx, file.File, report)
		},
		Process: func(ctx context.Context, process config.TrackProcess, report func(up bool)) {
			w.processes.Follow(ctx, process, report)
		},
		BFD: func(ctx context.Context, session config.BFDInstance, report func(up bool)) {
			w.sessions.Follow(ctx, session.Name, report)
		},
	}
}
