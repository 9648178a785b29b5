package supervisor

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/daemon"
	"github.com/lvsd/lvsd/internal/dump"
	"github.com/lvsd/lvsd/parser"
)

var (
	errNoConfig = errors.New("not all configuration files are there")
	errFatal    = errors.New("the VRRP configuration cannot be run: exited with permanent error CONFIG")
	errMissing  = errors.New("a keyword has no value: exited with permanent error CONFIG")
	errUnclean  = errors.New("the configuration has errors, and reload_check_config is set: exited with permanent error CONFIG")
	errEmpty    = errors.New("there is nothing in it")
)

// RefusedError is a reload that changed nothing: everything runs on as before.
type RefusedError struct {
	Status int // what lvsd -t would answer, or one of its kind
	Err    error
}

func (e *RefusedError) Error() string {
	return "the reload is refused, everything runs on as before: " + e.Err.Error()
}

// Unwrap is the reason.
func (e *RefusedError) Unwrap() error { return e.Err }

// Reload reads the configuration again and applies it, or changes nothing and
// says why with a [RefusedError].
func (s *Supervisor) Reload() error {
	s.log.Info("Reloading ...")
	s.log.Info("Configuration file " + s.opts.File)
	s.tell(daemon.Reloading())
	defer s.marker()()
	readingAhead()
	err := s.reload()
	s.refused = reason(err)
	if err != nil {
		s.log.Error(err.Error())
	} else {
		s.log.Info("Reload complete")
	}
	s.tell(daemon.Ready(), s.status())
	trim()
	return err
}

// reason is why a reload failed, without what became of it.
func reason(err error) string {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		err = refused.Err
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

func (s *Supervisor) reload() error {
	next, problems, err := s.acceptable(s.opts.File, true)
	if err != nil {
		return err
	}
	s.save(next, ".pre")
	if err := s.apply(next, problems); err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	s.services.Resync()
	s.save(nil, ".post")
	if next.Global.FIFO.FIFOWriteVRRPStatesOnReload && s.router != nil {
		if now, err := s.router.Snapshot(); err == nil {
			s.scripts.restate(next, now)
		}
	}
	if s.bus != nil {
		s.bus.Reloaded()
	}
	if s.opts.Reloaded != nil {
		s.opts.Reloaded(next)
	}
	return nil
}

// acceptable is the configuration in a file if a reload would take it.
func (s *Supervisor) acceptable(file string, report bool) (*config.Config, []config.Problem, error) {
	next, problems, err := s.settled(file)
	if err == nil && isEmpty(next) && !isEmpty(s.config) {
		err = errEmpty
	}
	if err != nil {
		return nil, nil, &RefusedError{config.ExitNoConfig, fmt.Errorf("the configuration %s cannot be used: %w", file, err)}
	}
	if report {
		s.report(problems)
	}
	if broken := newlyBroken(s.problems, problems); broken != nil {
		return nil, nil, &RefusedError{config.ExitTestFailed, fmt.Errorf("the configuration has a new error: %s", legible(broken.String()))}
	}
	if err := cmp.Or(immutable(s.config, next), s.check(problems, report)); err != nil {
		return nil, nil, &RefusedError{config.ExitTestFailed, err}
	}
	return next, problems, nil
}

// check is reload_check_config: the configuration must pass lvsd -t, whose
// findings go to a file.
func (s *Supervisor) check(problems []config.Problem, write bool) error {
	log := s.config.Global.Reload.ReloadCheckConfig
	status := config.TestStatus(problems)
	if !log.Set || status == config.ExitOK {
		return nil
	}
	file := cmp.Or(log.Value, os.DevNull)
	if write {
		if err := appendTo(file, func(w io.Writer) error { return parser.Print(w, problems, parser.Plain) }); err != nil {
			s.log.Warn("reload_check_config", zap.Error(err))
		}
	}
	return fmt.Errorf("New config failed validation, see %s for details", file) //nolint:staticcheck // keepalived's sentence
}

func appendTo(file string, content func(io.Writer) error) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(content(f), f.Close())
}

// marker is reload_file: it is there while a reload goes on. The returned
// function removes it.
func (s *Supervisor) marker() (remove func()) {
	r := &s.config.Global.Reload
	if !r.ReloadFile.Set {
		return func() {}
	}
	file := cmp.Or(r.ReloadFile.Value, dump.ReloadFile(&s.config.Daemon))
	if err := appendTo(file, func(io.Writer) error { return nil }); err != nil {
		s.log.Warn("reload_file", zap.Error(err))
		return func() {}
	}
	return func() {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("reload_file", zap.Error(err))
		}
	}
}

// save keeps copies of a configuration and of the state for who looks for an
// error, config_save_dir.
func (s *Supervisor) save(c *config.Config, state string) {
	dir := s.config.Global.Reload.ConfigSaveDir
	if c != nil {
		dir = c.Global.Reload.ConfigSaveDir
	}
	if dir == "" {
		return
	}
	if c != nil {
		name := fmt.Sprintf("%s/keepalived.conf.%d.%d", dir, os.Getpid(), s.saved)
		s.keep(name, func(w io.Writer) error { return parser.Write(w, c) })
		s.saved++
	}
	if s.router == nil || state == "" {
		return
	}
	for _, d := range s.documents(s.config) {
		if d.Process == "vrrp" {
			name := fmt.Sprintf("%s/keepalived_vrrp.%d.%d%s", dir, os.Getpid(), s.saved-1, state)
			facts := s.facts()
			s.keep(name, func(w io.Writer) error { return d.Write(w, s.config, facts) })
		}
	}
}

// keep writes a copy for this user alone: there are passwords in it. That it
// cannot is said once.
func (s *Supervisor) keep(name string, content func(io.Writer) error) {
	err := replace(name, 0o600, content)
	if err != nil && !s.unsaved {
		s.log.Warn("config_save_dir", zap.Error(err))
	}
	s.unsaved = err != nil
}

// legible writes bytes that are no text as \xNN: the service manager takes no
// status, and JSON no string, that has them, and a terminal does as they say.
func legible(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r != utf8.RuneError && unicode.IsPrint(r) {
			b.WriteString(text[i : i+size])
		} else {
			for _, c := range []byte(text[i : i+size]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		}
		i += size
	}
	return b.String()
}

func isEmpty(c *config.Config) bool {
	return len(c.Instances)+len(c.Services)+len(c.Groups)+len(c.Scripts) == 0 && c.Static.Claims().Empty()
}

// understood are codes of errors after which the configuration still means all
// that it says: keepalived calls them errors for its users to mend.
var understood = []string{"deprecated", "iptables", "rule-preference"}

// newlyBroken is an error that the running configuration did not have. What
// was tolerated at start is tolerated again, wherever it stands by now.
func newlyBroken(running, next []config.Problem) *config.Problem {
	type kind struct{ code, message string }
	tolerated := make(map[kind]int)
	for _, p := range running {
		tolerated[kind{p.Code, p.Message}]++
	}
	for i, p := range next {
		k := kind{p.Code, p.Message}
		if p.Severity != config.Error || slices.Contains(understood, p.Code) {
			continue
		}
		if tolerated[k]--; tolerated[k] < 0 {
			return &next[i]
		}
	}
	return nil
}
