package procwatch

import (
	"slices"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// process is what /proc says about a process.
type process struct {
	name   string   // of /proc/PID/comm
	args   []string // of /proc/PID/cmdline; nil when nobody compares them
	parent int
}

// nameLength is what the kernel keeps of a name, TASK_COMM_LEN without its end.
const nameLength = 15

// wantsArgs says that the command line is compared and not the name.
func wantsArgs(t *config.TrackProcess) bool {
	return t.FullCommand || t.ParamMatch != config.ParamNone
}

// matches reports whether a process is one of those that are tracked.
func matches(t *config.TrackProcess, p *process) bool {
	if len(t.Process) == 0 {
		return false
	}
	command, params := t.Process[0], t.Process[1:]
	if !wantsArgs(t) {
		return p.name == command[:min(len(command), nameLength)]
	}
	if len(p.args) == 0 || p.args[0] != command {
		return false
	}
	have := p.args[1:]
	switch t.ParamMatch {
	case config.ParamExact:
		return slices.Equal(have, params)
	case config.ParamPartial:
		return len(have) >= len(params) && slices.Equal(have[:len(params)], params)
	case config.ParamInitial:
		last := len(params) - 1
		return last < 0 || len(have) > last && slices.Equal(have[:last], params[:last]) && strings.HasPrefix(have[last], params[last])
	}
	return true
}
