//go:build linux

package supervisor

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/mutate"
	"github.com/lvsd/lvsd/parser"
)

// loaded is a supervisor that would be running a file, without a kernel.
func loaded(t *testing.T, text string) (s *Supervisor, put func(string)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keepalived.conf")
	put = func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(text)
	s = New(Options{File: file, Log: zap.NewNop()})
	s.machine = func() config.Environment { return nil } // that would ask the name service each time
	var err error
	if s.config, s.problems, err = s.load(file); err != nil {
		t.Fatal(err)
	}
	return s, put
}

// A file that is cut off within a block is refused, wherever that is. One that
// is cut off between two blocks cannot be told from one that is meant.
func TestHalfWritten(t *testing.T) {
	s, put := loaded(t, planned)
	for i := range planned {
		text := planned[:i]
		open := strings.Count(text, "{") - strings.Count(text, "}")
		put(text)
		_, _, err := s.acceptable(s.opts.File, false)
		if refused := (*RefusedError)(nil); open > 0 && !errors.As(err, &refused) {
			t.Fatalf("cut off at %d, in the middle of a block: %v\n%s", i, err, text)
		}
		if strings.TrimSpace(text) == "" && err == nil {
			t.Errorf("an empty file is accepted")
		}
	}
}

// A writer that has come to the end of a block, and goes on, is waited for; one
// that never ends is not.
func TestBeingWritten(t *testing.T) {
	s, _ := loaded(t, planned)
	half := planned[:strings.Index(planned, "vrrp_instance B")]
	f, err := os.Create(s.opts.File)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(half); err != nil {
		t.Fatal(err)
	}
	go func() {
		time.Sleep(3 * lookTime)
		_, _ = f.WriteString(planned[len(half):])
		_ = f.Close()
	}()
	next, _, err := s.acceptable(s.opts.File, false)
	if err != nil || len(next.Instances) != 2 || len(next.Services) != 2 {
		t.Errorf("half a file is taken: %v %d %d", err, len(next.Instances), len(next.Services))
	}
	open, err := os.OpenFile(s.opts.File, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if next, _, err := s.acceptable(s.opts.File, false); err != nil || len(next.Instances) != 2 {
		t.Errorf("a file that somebody keeps open: %v", err)
	}
}

// What keepalived calls an error though all that is meant is understood does not
// keep a reload back, as another error does.
func TestUnderstoodErrors(t *testing.T) {
	for line, accepted := range map[string]bool{
		"virtual_rules {\n from 10.0.0.0/8 table 100\n }": true,
		"linkbeat_use_polling":                            true,
		"prioritty 100":                                   false,
		"virtual_rules {\n x\n }":                         false,
	} {
		s, put := loaded(t, planned)
		put(planned + "vrrp_instance C {\n interface lo0\n virtual_router_id 99\n virtual_ipaddress {\n 10.9.0.9\n }\n " + line + "\n}\n")
		if _, problems, err := s.acceptable(s.opts.File, false); (err == nil) != accepted {
			t.Errorf("%s: %v, %v", line, err, problems)
		}
	}
}

// Thousands of broken files, one or several mistakes in each: none of them ends
// the daemon or becomes what runs unless it has no new error, and what is
// accepted can be told apart from what runs.
func TestMutatedFiles(t *testing.T) {
	s, put := loaded(t, planned)
	before := s.config
	text, err := configText(before)
	if err != nil {
		t.Fatal(err)
	}
	const seed, files = 20, 3000
	r := rand.New(rand.NewPCG(seed, seed))
	accepted := 0
	for n := range files {
		mutant, names := mutate.Text(r, planned)
		put(mutant)
		next, problems, err := s.acceptable(s.opts.File, false)
		if refused := (*RefusedError)(nil); err != nil && !errors.As(err, &refused) {
			t.Fatalf("file %d (%q): %v\n%s", n, names, err, mutant)
		}
		if err != nil {
			continue
		}
		accepted++
		for _, p := range problems {
			if p.Severity == config.Error && !slices.Contains(understood, p.Code) {
				t.Fatalf("file %d (%q) is accepted with %s\n%s", n, names, &p, mutant)
			}
		}
		if _, err := Changes(s.config, next); err != nil {
			t.Fatalf("file %d (%q): %v\n%s", n, names, err, mutant)
		}
	}
	if now, err := configText(s.config); err != nil || now != text || s.config != before {
		t.Errorf("what runs is another: %v\n%s", err, now)
	}
	if accepted == 0 || accepted == files {
		t.Errorf("%d of %d files are accepted", accepted, files)
	}
	t.Logf("%d of %d files are accepted", accepted, files)
}

func configText(c *config.Config) (string, error) {
	var b strings.Builder
	err := parser.Write(&b, c)
	return b.String(), err
}

// What is said of a file that is no text is one.
func TestLegible(t *testing.T) {
	s, put := loaded(t, planned)
	put(planned + "\x1b[2Jgr\u00fcn\xff\x80\n")
	_, _, err := s.acceptable(s.opts.File, false)
	if want := `Unknown keyword '\x1b[2Jgr\u00fcn\xff\x80'`; !strings.Contains(reason(err), strings.ReplaceAll(want, `\u00fc`, "\u00fc")) {
		t.Errorf("%q, want %q", reason(err), want)
	}
}

// What is set up once cannot change in a reload.
func TestImmutable(t *testing.T) {
	const head = "net_namespace a\ninstance b\nglobal_defs {\n    disable_local_igmp\n}\n"
	s, put := loaded(t, head+planned)
	for _, c := range []struct{ old, new, want string }{
		{"net_namespace a", "net_namespace c", "Cannot change network namespace at a reload - please restart keepalived"},
		{"instance b", "", "Cannot change instance name at a reload - please restart keepalived"},
		{"    disable_local_igmp\n", "", "Cannot change disable_local_igmp at a reload - please restart keepalived"},
		{"router_id a", "router_id b", ""},
	} {
		put(strings.Replace(head+planned, c.old, c.new, 1))
		_, _, err := s.acceptable(s.opts.File, false)
		got := reason(err)
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.new, got, c.want)
		}
	}
}

// reload_check_config refuses what lvsd -t finds fault with, and says where
// that is written.
func TestReloadCheckConfig(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	wrong := strings.Replace(planned, "priority 100", "priority 100\n    advert_int 1.5", 1) // a warning that keepalived counts
	head := "global_defs {\n    reload_check_config " + log + "\n}\n"
	s, put := loaded(t, head+planned)
	put(head + wrong)
	_, problems, err := s.acceptable(s.opts.File, true)
	if config.TestStatus(problems) != config.ExitOK {
		t.Fatal("it was not refused")
	}
	if want := "New config failed validation, see " + log + " for details"; reason(err) != want {
		t.Errorf("got %q, want %q", reason(err), want)
	}
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "must be an integer") {
		t.Errorf("the log: %s %v", text, err)
	}
	plain, put := loaded(t, planned)
	put(wrong)
	if _, _, err := plain.acceptable(plain.opts.File, false); err != nil {
		t.Errorf("without reload_check_config: %v", err)
	}
}
