package supervisor

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/control"
)

// answer serves a question of one of lvsd's subcommands.
func (s *Supervisor) answer(call *control.Call) {
	switch call.Command {
	case control.Reload:
		call.Answer(outcome("Reload complete", s.Reload()))
	case control.Plan:
		text, err := s.plan(cmp.Or(call.File, s.opts.File))
		call.Answer(outcome(text, err))
	case control.Upgrade:
		s.upgrade(call)
	default:
		call.Answer(outcome("", fmt.Errorf("this lvsd does not know %q", call.Command)))
	}
}

// plan is what a reload of a file would do. Nothing is touched.
func (s *Supervisor) plan(file string) (string, error) {
	next, _, err := s.acceptable(file, false)
	if err != nil {
		return "", err
	}
	return Changes(s.config, next)
}

func outcome(text string, err error) control.Answer {
	a := control.Answer{Status: config.ExitOK, Text: text}
	if err != nil {
		a = control.Answer{Status: config.ExitFatal, Text: err.Error()}
		if refused, ok := errors.AsType[*RefusedError](err); ok {
			a.Status = refused.Status
		}
		if failed, ok := errors.AsType[*UpgradeError](err); ok {
			a.Status = failed.Status
		}
	}
	return a
}
