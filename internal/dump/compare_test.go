//go:build linux

package dump_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// aside are lines that are not compared, and why.
var aside = []struct{ why, lines string }{
	{"the build", `^ libnftnl version |^ System is compiled with|^   TLS compliant|^ (SNMP|DBus) `},
	{"state of the daemon", `^   (State|Flags|Wantstate|Master router|Master priority|Number of .* faults|Number of track scripts init|Last transition|Read timeout|Master down timer|Effective priority|Total priority|fd_in|Master advert int(erval)?|Result|Status|Current processes|Have quorum|Bfd is|Fork delay timer|Terminate delay timer|Init state|Num member fault) ?|^ current realtime|^ G(ARP|NA) next time`},
	{"state of the daemon", `^   (alive|quorum_state_up|reloaded|num failed checkers|RS set|effective weight|previous effective_weight|Enabled|Up|Has run|Current weight|Retries iterations|Last ran|Last status) = |^     (Alive:|reloaded|Reloaded|Regex ref count)`},
	{"state of the daemon", `^   (fd_out|thread_|sands_|send error|local |remote |!?poll|last_seen)`},
}

// otherwise are parts of lines that 2.4.3 has otherwise than 2.2.7, or that
// lvsd means to have otherwise.
var otherwise = []struct {
	why, part string
	to        string
}{
	{"2.4.3 shows asterisks", `^(   Password|   SSL password) = .*`, `$1 = ********`},
	{"the state of the group", `^( ?VRRP Sync Group = [^,]*), .*`, `$1`},
	{"the state of the address", ` set$`, ``},
	{"a file's value counts", ` EFF WEIGHT = .*`, ``},
	{"lvsd shows scripts as they are called", `'/usr(/bin/[^']*')`, `'$1`},
	{"the address of the interface", `^(   Using src_ip) = [^ ]*$`, `$1`},
}

// TestOracle compares every document of every file of testdata/conf with what
// keepalived writes.
func TestOracle(t *testing.T) {
	o := newOracle(t)
	for _, file := range confFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".conf"), func(t *testing.T) {
			ours, links := o.ours(t, file)
			theirs, said := o.ask(t, file, links)
			if theirs == nil {
				t.Logf("keepalived writes nothing: %s", lastLines(said, 12))
			}
			for name, want := range theirs {
				for _, d := range compare(want, ours[name]) {
					t.Errorf("%s: %s", name, d)
				}
			}
		})
	}
}

// compare says what differs, block by block: lines of keepalived begin with
// -, those of lvsd with +.
func compare(theirs, ours string) (differ []string) {
	a, order := blocks(theirs)
	b, more := blocks(ours)
	for _, name := range more {
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	for _, name := range order {
		lost, extra := subtract(a[name], b[name]), subtract(b[name], a[name])
		for _, line := range lost {
			differ = append(differ, fmt.Sprintf("%s: - %s", name, line))
		}
		for _, line := range extra {
			differ = append(differ, fmt.Sprintf("%s: + %s", name, line))
		}
		if len(lost)+len(extra) == 0 && !slices.Equal(a[name], b[name]) {
			differ = append(differ, fmt.Sprintf("%s: another order:\n%s\nnot\n%s", name, strings.Join(b[name], "\n"), strings.Join(a[name], "\n")))
		}
	}
	return differ
}

func subtract(a, b []string) (left []string) {
	rest := slices.Clone(b)
	for _, line := range a {
		if i := slices.Index(rest, line); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
		} else {
			left = append(left, line)
		}
	}
	return left
}

// blocks are the lines of a document that are compared, by section and block,
// and the order of the blocks.
func blocks(text string) (lines map[string][]string, order []string) {
	lines = map[string][]string{}
	section, block, count := "", "", map[string]int{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "------<"):
			section, block = strings.Trim(line, "-<> "), ""
		case strings.HasPrefix(strings.TrimSpace(line), "------<"), !strings.HasPrefix(line, "  ") && section != "Global definitions":
			block, _ = compared("", strings.TrimSpace(line))
			count[section+block]++
			block += fmt.Sprintf(" #%d", count[section+block])
		}
		name := section + "/" + block
		if _, known := lines[name]; !known {
			order = append(order, name)
		}
		if line, ok := compared(section, line); ok {
			lines[name] = append(lines[name], line)
		}
	}
	return lines, order
}

// stateOnly are sections of which lvsd has another state, or none.
var stateOnly = []string{"VRRP Sockpool", "Interfaces", "BFD Data"}

var (
	asideLines = compileAside()
	rewrites   = compileOtherwise()
)

func compileAside() (all []*regexp.Regexp) {
	for _, a := range aside {
		all = append(all, regexp.MustCompile(a.lines))
	}
	return all
}

func compileOtherwise() (all []*regexp.Regexp) {
	for _, o := range otherwise {
		all = append(all, regexp.MustCompile(o.part))
	}
	return all
}

func compared(section, line string) (string, bool) {
	if slices.Contains(stateOnly, section) {
		return "", false
	}
	for _, a := range asideLines {
		if a.MatchString(line) {
			return "", false
		}
	}
	for i, r := range rewrites {
		line = r.ReplaceAllString(line, otherwise[i].to)
	}
	return line, true
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
