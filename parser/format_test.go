package parser

import (
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/golden"
)

// laidOut are files as [Format] lays them out.
type laidOut struct{ Files }

func (l laidOut) Open(name string) (io.ReadCloser, error) {
	f, err := l.Files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(strings.NewReader(Format(string(text)))), nil
}

// sameConfig compares configurations, places left aside.
var sameConfig = cmp.Options{
	cmpopts.IgnoreTypes(config.Origin{}),
	cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, netip.AddrPort{}),
}

// sameFormatted sees that a configuration and the same laid out mean the same.
func sameFormatted(t *testing.T, o Options) {
	t.Helper()
	want, wantProblems, err := Load(o)
	if err != nil {
		t.Logf("no configuration, its text alone is compared: %v", err)
		return
	}
	o.Files = laidOut{o.Files}
	got, gotProblems, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, sameConfig); diff != "" {
		t.Errorf("%s means something else when it is laid out (-want +got):\n%s", o.File, diff)
	}
	if diff := cmp.Diff(codesOf(wantProblems), codesOf(gotProblems)); diff != "" {
		t.Errorf("%s has other problems when it is laid out (-want +got):\n%s", o.File, diff)
	}
}

// codesOf are the codes in any order: problems are sorted by line, and a brace
// may have got another one.
func codesOf(problems []config.Problem) (codes []string) {
	for _, p := range problems {
		codes = append(codes, p.Code)
	}
	slices.Sort(codes)
	return codes
}

// stable sees that the layout is one, and that nothing but blanks changed. A
// '{' may have moved before a comment.
func stable(t *testing.T, text string) string {
	t.Helper()
	once := Format(text)
	if diff := cmp.Diff(once, Format(once)); diff != "" {
		t.Errorf("laid out twice (-once +twice):\n%s", diff)
	}
	if diff := cmp.Diff(letters(text), letters(once)); diff != "" {
		t.Errorf("text was lost (-want +got):\n%s", diff)
	}
	return once
}

func letters(text string) string {
	all := []byte(strings.Map(func(r rune) rune {
		if strings.ContainsRune(blanks+"\n", r) {
			return -1
		}
		return r
	}, text))
	slices.Sort(all)
	return string(all)
}

func TestFormatConf(t *testing.T) {
	for _, file := range confFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			stable(t, string(text))
			sameFormatted(t, Options{File: file, ConfigID: "here", Environment: bench{}, Files: Disk{}})
		})
	}
}

func TestFormatCorpus(t *testing.T) {
	eachOfCorpus(t, func(t *testing.T, file string) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		stable(t, string(text))
		sameFormatted(t, Options{File: file, Files: readable{}, Environment: bench{}})
	})
}

func FuzzFormat(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		stable(t, text)
		for _, id := range []string{"here", ""} {
			sameFormatted(t, Options{File: "main", Files: Memory{"main": text}, ConfigID: id, Environment: bench{}, bound: 1 << 10})
		}
	})
}

// TestFormatLayout shows what the layout is.
func TestFormatLayout(t *testing.T) {
	files, err := filepath.Glob("../testdata/fmt/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			golden.Equal(t, strings.TrimSuffix(file, ".conf")+".golden", stable(t, string(text)))
			sameFormatted(t, Options{File: file, ConfigID: "one", Environment: bench{}, Files: Disk{}})
		})
	}
}

// Lines that keepalived reads in pieces, and what would become one, stay as
// they are.
func TestFormatLongLines(t *testing.T) {
	long := strings.Repeat("x", maxPhysical-8)
	for _, text := range []string{
		"global_defs {\n  router_id  " + long + "    y\n}\n",
		"   router_id  " + strings.Repeat("y", 3000) + "\n",
		strings.Repeat(" ", maxPhysical) + "router_id x\n",
	} {
		line := slices.MaxFunc(strings.Split(text, "\n"), func(a, b string) int { return len(a) - len(b) })
		if got := stable(t, text); !strings.Contains(got, line+"\n") {
			t.Errorf("%.40q... became %.60q...", text, got)
		}
	}
	if got, want := stable(t, "a {\n"+long+" b # c\n}\n"), "a {\n"+long+" b # c\n}\n"; got != want {
		t.Errorf("indented beyond the buffer: %.40q...", got)
	}
}
