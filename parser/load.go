package parser

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// Options say what [Load] reads and what it may look up.
type Options struct {
	File     string // -f: a path, or a glob pattern that may match several files
	ConfigID string // -i: the id of @id lines; empty drops every @id line
	Files    Files  // nil: [Disk]
	// AllConfig (-e) makes every include line check all that include_check can.
	AllConfig bool
	Getenv    func(name string) string // of ${_ENV NAME}; nil: [os.Getenv]
	// Environment answers what a check of the configuration asks the machine.
	// nil looks nothing up: the file is for another machine.
	Environment config.Environment
	// Test looks up nothing that only a dump would show: what is wanted is the
	// verdict.
	Test bool
	// Offline takes the names of routing tables and their like for numbers of
	// another machine; what is read is good for a test only.
	Offline bool
	// Peers reads the file for the other ids of its @id lines, too, to compare
	// what it says for the routers of one virtual router.
	Peers bool
	// Unread are blocks of the top level of which nothing but the braces counts.
	Unread []string

	bound int // lines that definitions may become; 0: [maxExpansions]. Tests want less
}

// ErrNoConfig is the error of [Load] when there is no file to read: exit
// status [config.ExitNoConfig].
var ErrNoConfig = errors.New("no configuration file")

// Load reads a configuration, validates it, applies keepalived's own fix-ups
// and resolves it. The configuration is never nil without an error: what is
// wrong is left out and is one of the problems, in the order of the files and
// their lines. The error wraps [ErrNoConfig].
func Load(o Options) (*config.Config, []config.Problem, error) {
	if o.Files == nil {
		o.Files = Disk{}
	}
	d := &decoder{
		schema: newSchema(), lines: newLineGrammars(), cfg: &config.Config{Global: config.DefaultGlobal}, names: map[string]bool{}, seen: map[mention]bool{}, near: map[[2]string]string{},
		said: map[complaint]bool{}, classes: map[config.Class]bool{},
	}
	d.src, d.offline = newSource(o, d.report), o.Offline
	if err := d.src.start(o.File); err != nil {
		return nil, nil, err
	}
	d.run(o.Unread)
	d.problems = append(d.problems, d.cfg.Validate(o.Environment)...)
	if !o.Test || d.cfg.HasScripts() {
		d.cfg.Global.DefaultScriptUser(o.Environment)
	}
	d.cfg.Resolve(o.Environment)
	d.problems = append(d.problems, d.cfg.Lint(o.Environment)...)
	if o.Peers {
		d.problems = append(d.problems, d.cfg.LintPeers(d.src.peers(o))...)
	}
	d.conflicts()
	d.namespace(o.Environment)
	d.src.quote(d.problems)
	return d.cfg, d.problems, nil
}

// namespace leaves the problems that keepalived finds when it cannot enter
// net_namespace: it reads global_defs, and goes no further.
func (d *decoder) namespace(env config.Environment) {
	name := d.cfg.Daemon.NetNamespace
	if name == "" || env == nil || env.HasNamespace(name) {
		return
	}
	d.problems = slices.DeleteFunc(d.problems, func(p config.Problem) bool { return p.Child })
	d.report(config.Problem{
		Origin: d.cfg.Daemon.NetNamespaceOrigin, Severity: config.Warning, Class: config.ClassNoNamespace, Code: "no-namespace", Late: true,
		Message: fmt.Sprintf("network namespace %s does not exist here: only global_defs was tested, as keepalived has it, and the exit status says nothing", name),
		Hint:    "make the namespace, or test with --offline",
	})
}

// maxPeers bounds how often a file is read for other ids.
const maxPeers = 8

// peers are the configurations of the other ids of a file; none when the own id
// is not one of them.
func (s *source) peers(o Options) map[string]*config.Config {
	if !s.ids[o.ConfigID] || len(s.ids) > maxPeers {
		return nil
	}
	peers := map[string]*config.Config{}
	for id := range s.ids {
		if id == o.ConfigID || id == "" {
			continue
		}
		other := o
		other.ConfigID, other.Environment, other.Peers = id, nil, false
		if cfg, _, err := Load(other); err == nil {
			peers[id] = cfg
		}
	}
	return peers
}

// run decodes one top-level statement after the other, but for blocks that are not
// to be read.
func (d *decoder) run(unread []string) {
	d.cfg.Daemon, d.vmacs = config.DefaultDaemon, map[string]string{}
	t := &tokens{src: d.src, opens: d.opens}
	for {
		before := len(d.problems)
		st, ok := t.statement()
		if !ok {
			return
		}
		if slices.Contains(unread, firstWord(st.Line)) {
			continue
		}
		t.top.cursor = d.cursor(st)
		d.schema.root.apply(&t.top.cursor, d.cfg)
		for i := before; i < len(d.problems) && d.child(t.top.cursor.keyword); i++ {
			d.problems[i].Child = true
		}
	}
}

// child reports a keyword of the top level that keepalived leaves to its child
// processes: every block but global_defs.
func (d *decoder) child(keyword string) bool {
	return keyword != "global_defs" && d.schema.root.rows[keyword].block
}

// start opens the file of -f, or all files that it matches.
func (s *source) start(file string) error {
	names := []string{file}
	if strings.ContainsAny(file, "*?[{") {
		var err error
		if names, err = s.files.Glob(file); err != nil || len(names) == 0 {
			return fmt.Errorf("%w: nothing matches '%s'", ErrNoConfig, file)
		}
	}
	for _, name := range slices.Backward(names) {
		if _, err := s.push(name, chain{}); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return &missingError{name}
			}
			return fmt.Errorf("%w: %w", ErrNoConfig, err)
		}
	}
	return nil
}

// missingError is the [ErrNoConfig] of a file that does not exist, in
// keepalived's words.
type missingError struct{ file string }

func (e *missingError) Error() string { return fmt.Sprintf("Config files missing '%s'.", e.file) }

func (e *missingError) Unwrap() error { return ErrNoConfig }

// quote sorts problems by their place and gives each the line that it is
// about.
func (s *source) quote(problems []config.Problem) {
	slices.SortStableFunc(problems, func(a, b config.Problem) int {
		if a.Origin.File != b.Origin.File || a.Origin.Line == 0 || b.Origin.Line == 0 {
			return cmp.Compare(s.rank(a.Origin), s.rank(b.Origin))
		}
		return cmp.Compare(a.Origin.Line, b.Origin.Line)
	})
	var file, rest string
	at := int32(0)
	for i := range problems {
		o := problems[i].Origin
		if o.File != file || o.Line < at {
			file, rest, at = o.File, s.texts[o.File], 1
		}
		for ; at < o.Line; at++ {
			_, rest, _ = strings.Cut(rest, "\n")
		}
		if len(problems[i].Chain) == 0 { // found when everything was read
			problems[i].Chain = s.via(place{chain: s.brought[o.File]})
		}
		if o.Line > 0 {
			text, _, _ := strings.Cut(rest, "\n")
			problems[i].Source = strings.Clone(Conceal(strings.TrimRight(text, "\r")))
		}
	}
}

// rank orders files as they were opened; what has no place comes last.
func (s *source) rank(o config.Origin) int {
	if o.Line == 0 {
		return len(s.order)
	}
	return slices.Index(s.order, o.File)
}
