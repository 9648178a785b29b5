package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/filewatch"
)

// schedule is reload_time_file: a file that says when to reload. Its methods
// belong to one goroutine.
type schedule struct {
	log   *zap.Logger
	watch *filewatch.Watcher

	file   string
	repeat bool
	at     time.Time // zero: none
	dated  bool      // at is of this one day

	texts chan string // of the file, when it has changed; empty: it is not there
	timer *time.Timer
	end   context.CancelFunc
	ended sync.WaitGroup
}

func newSchedule(log *zap.Logger, watch *filewatch.Watcher) *schedule {
	timer := time.NewTimer(0)
	timer.Stop()
	return &schedule{log: log, watch: watch, texts: make(chan string), timer: timer, end: func() {}}
}

// apply takes what the configuration says.
func (s *schedule) apply(r *config.ReloadOptions) {
	s.repeat = r.ReloadRepeat
	if r.ReloadTimeFile == s.file {
		return
	}
	s.stop()
	s.set("")
	if s.file = r.ReloadTimeFile; s.file == "" {
		return
	}
	ctx, end := context.WithCancel(context.Background())
	s.end = end
	s.ended.Go(func() {
		s.watch.Watch(ctx, r.ReloadTimeFile, func() {
			text, err := os.ReadFile(r.ReloadTimeFile)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				s.log.Warn("reload_time_file", zap.Error(err))
			}
			select {
			case s.texts <- strings.TrimSpace(string(text)):
			case <-ctx.Done():
			}
		})
	})
}

// stop ends the look at the file.
func (s *schedule) stop() {
	s.end()
	s.ended.Wait()
	s.timer.Stop()
}

// set takes what is in the file.
func (s *schedule) set(text string) {
	if text == "" {
		if !s.at.IsZero() {
			s.log.Info("Cancelling reload scheduled for " + s.at.Format(time.DateTime))
		}
		s.at = time.Time{}
		s.timer.Stop()
		return
	}
	at, dated, err := reloadTime(text, time.Now())
	if err != nil {
		s.log.Warn(err.Error())
		return
	}
	switch {
	case s.at.IsZero():
		s.log.Info("Scheduling reload for " + at.Format(time.DateTime))
	case !at.Equal(s.at):
		s.log.Info(fmt.Sprintf("Reload time updated from %s to %s", s.at.Format(time.DateTime), at.Format(time.DateTime)))
	}
	s.at, s.dated = at, dated
	s.arm()
}

// lookAgain is how often the clock is compared: it may be set.
const lookAgain = time.Minute

func (s *schedule) arm() { s.timer.Reset(min(time.Until(s.at), lookAgain)) }

// due reports, when the timer has fired, whether it is time to reload. The
// file of a time that does not come again is removed.
func (s *schedule) due() bool {
	if s.at.IsZero() {
		return false
	}
	if time.Now().Round(0).Before(s.at) {
		s.arm()
		return false
	}
	s.at = time.Time{}
	if s.repeat && !s.dated {
		if text, err := os.ReadFile(s.file); err == nil {
			s.set(strings.TrimSpace(string(text)))
		}
		return true
	}
	if err := os.Remove(s.file); err != nil {
		s.log.Warn("reload_time_file", zap.Error(err))
	}
	return true
}

// reloadTime reads HH:MM:SS, which is the next time that it is so late, or
// [YY]YY-MM-DD HH:MM:SS; either is local time, and UTC with a Z behind it.
func reloadTime(text string, now time.Time) (at time.Time, dated bool, err error) {
	zone := time.Local
	bare, utc := strings.CutSuffix(text, "Z")
	if utc {
		zone = time.UTC
	}
	for _, layout := range []string{"06-01-02 15:04:05", time.DateTime} {
		if at, err := time.ParseInLocation(layout, bare, zone); err == nil {
			if at.Before(now) {
				return at, true, fmt.Errorf("Reload time %s is in the past - ignoring", text) //nolint:staticcheck // keepalived's sentence
			}
			return at.Local(), true, nil
		}
	}
	of, err := time.Parse(time.TimeOnly, bare)
	if err != nil {
		return at, false, fmt.Errorf("Invalid reload time '%s' specified - ignoring", text) //nolint:staticcheck // keepalived's sentence
	}
	today := now.In(zone)
	for day := range 2 {
		at = time.Date(today.Year(), today.Month(), today.Day()+day, of.Hour(), of.Minute(), of.Second(), 0, zone)
		if at.After(now) {
			break
		}
	}
	return at.Local(), false, nil
}
