package supervisor

import (
	"context"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/notify"
	"github.com/lvsd/lvsd/vrrp"
)

// track lets package notify run the scripts whose verdicts vrrp waits for.
func track(log *zap.Logger) vrrp.Track {
	return func(ctx context.Context, script config.TrackScript, last *bool, report func(up bool)) {
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
	}
}
