//go:build linux

package dump_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/parser"
)

// aside are lines that are not compared, and why.
var aside = []struct{ why, lines string }{
	{"keepalived's build", `^ libnftnl version |^ System is compiled with|^ +TLS compliant|^ (SNMP|DBus) `},
	{"the state of the daemon", `^   (State|Flags|Wantstate|Master router|Master priority|Number of .* faults|Number of track scripts init|Last transition|Read timeout|Master down timer|Effective priority|Total priority|fd_in|Master advert int(erval)?|Result|Status|Current processes|Have quorum|Bfd is|Fork delay timer|Terminate delay timer|Init state|Num member fault) ?|^ current realtime|^ G(ARP|NA) next time`},
	{"the state of the daemon", `^   (alive|quorum_state_up|reloaded|num failed checkers|RS set|effective weight|previous effective_weight|Enabled|Up|Has run|Current weight|Retries iterations|Last ran|Last status) = |^     (Alive:|reloaded|Reloaded|Regex ref count)`},
	{"the state of the daemon", `^   (fd_out|thread_|sands_|send error|local |remote |!?poll|last_seen)`},
	{"Flags, which 2.4.3 has otherwise", `^     (Using unicast|Unicast config option specified|If unicast go to fault)`},
	{"2.2.7 does not show it", `^   (persistence engine|Init value) = `},
	{"2.2.7 does not know it", `^ (use_symlink_paths|set_supplementary_groups|vrrp_owner_ignore_adverts|vrrp_delay_after_boot = .*)$|^   Owner ignores adverts$`},
	{"2.2.7 forgets the first processor", `^ \w+ CPU Affinity = `},
	{"2.2.7 shows eth0 until it needs another", `^ Default interface = `},
	{"2.2.7 shows what BFD_CHECK does not have", `= (18446744073709551615 us|4294967295)$`},
	{"2.2.7 shows all options when there is one", `^     Regex options: `},
}

// otherwise are parts of lines that are compared in another form, and why.
var otherwise = []struct{ why, part, to string }{
	{"2.4.3 shows asterisks", `^(   Password|   SSL password) = .*`, `$1 = ********`},
	{"the state of the group", `^( ?VRRP Sync Group = [^,]*), .*`, `$1`},
	{"the state of the address", ` set$`, ``},
	{"the state of the route", ` \[installed.*`, ``},
	{"the state of the VMAC", ` is_up = \w+,`, ``},
	{"the names of further VMACs depend on those that are there", `\S+@`, ``},
	{"the name of a VMAC depends on those that are there", `^(   Use VMAC, i/f name|   Interface =) [^ ]*,`, `$1 NAME,`},
	{"2.2.7 forgets the default in host blocks of SMTP_CHECK", `^     Timeout = 0.000000$`, `     Timeout = 5.000000`},
	{"the value of a file counts", ` WEIGHT = .*`, ``},
	{"the dot behind a name", `^(   Name = .*)\.$`, `$1`},
	{"lvsd shows scripts as they are called", `'(?:/usr)?/s?bin/([^']*')`, `'$1`},
	{"the address of the interface", `^(   Using src_ip) = [^ ]*$`, `$1`},
	{"the number of the interface", `, ifindex \d+$`, ``},
	{"lvsd marks routes and rules that it does not track, too", ` proto(col)? 18| no_track$| $`, ``},
	{"what cannot be added twice", `^     add (blackhole|unreachable|prohibit|throw|local|\d+) `, `     prepend $1 `},
	{"everything is 0.0.0.0/0", `^     from 0.0.0.0/0 `, `     from all `},
	{"keepalived prints the bytes of these in the wrong order", ` encap (mpls|ila) \S+`, ` encap $1`},
	{"2.2.7 writes the first half of a lock over the name", ` congctl (lock )?cub\S+ +`, ` congctl cubic `},
	{"lvsd has them at another place, in milliseconds", ` rto_min \S+| features ecn`, ``},
	{"it is the one of UDP", `^ LVS (TCP|UDP) timeout = `, ` LVS TCP or UDP timeout = `},
}

// stumbles are files of testdata/conf whose mistakes make keepalived read
// something else than what is meant: the rows of docs/compatibility.md about
// reading files. What lvsd has understood of them is compared, as the file that
// lvsd config --conf makes of it.
var stumbles = map[string]string{
	"braces":              "a script that is defined after its use",
	"checks-dropped":      "2.2.7 crashes at an open quote",
	"checks-told":         "a track_file and a bfd_instance that are defined after their use",
	"script-unsafe":       "a program that is on no machine",
	"checks":              "it does not start without the files of SSL",
	"mistakes":            "it does not start",
	"groups":              "a weight that it says it ignores",
	"owners":              "it does not start",
	"strict":              "more addresses than an advert holds",
	"missing-brace-below": "it reads on in the block before",
	"vmac":                "numbers with mistakes that 2.2.7 takes all the same",
	"namespace":           "it does not start",
	"script-user":         "lvsd keeps no script without a user",
	"script-account":      "the same",
	"fatal":               "it does not start",
	"links":               "it does not start",
	"missing-parameter":   "it does not start",
	"routes":              "mistakes in routes and rules, of which 2.2.7 keeps a part",
	"checks-mistakes":     "mistakes in checks, of which 2.2.7 keeps a part",
	"endless":             "it takes what memory there is",
	"include-self":        "it hangs",
	"missing-brace":       "it reads on in the block before",
	"missing-list-brace":  "the same",
	"scripts":             "scripts that are defined after their use, and shell operators",
	"sequences":           "2.2.7 knows fewer sequences",
	"services-more":       "mistakes that 2.2.7 takes for 0",
	"trackers":            "mistakes in trackers, of which 2.2.7 keeps a part",
	"unicast":             "a peer that is given twice",
	"unknown":             "it takes the inside of an unknown block for its parent's",
}

// beyond are files that 2.2.7 cannot be asked about.
var beyond = map[string]string{
	"hmac":           "2.2.7 does not know it",
	"service-groups": "2.2.7 runs from the end of a range to its begin, through all addresses",
}

// differences are those that are left of files that stumble, parts of what compare
// says, and why.
var differences = map[string][]struct{ why, pattern string }{
	"checks-mistakes": {
		{"a script that is not there is kept", ` #[467]: [-+]  `},
		{"2.2.7 does not know HTTP/2", ` http protocol `},
	},
	"links": {
		{"the instance cannot run, and lvsd says why", `VRRP Instance = noaddress #1: \+ +Cannot run: ipvlan`},
		{"garp_extra_if is on a line with a mistake, and 2.2.7 reads more of what is left", `- +(Gratuitous ARP for each|Next gratuitous ARP for) `},
	},
	"script-unsafe": {{"a script that is not there is kept", ` notify script = |keepalived_check: Health checkers/`}},
	"scripts":       {{"2.4.3 leaves quotes in quotes as they are, and shell operators are the shell's", ` state transition script = `}},
	"services-more": {
		{"2.2.7 takes a prefix length for an address", ` persistence granularity = `},
		{"2.2.7 takes no quorum of 0", ` quorum = 0, `},
	},
	"strict": {{"the instance cannot run", `VRRP Instance = nobody #1`}},
}

// known reports a difference that one of a file's reasons explains.
func known(name, difference string) bool {
	for _, d := range differences[name] {
		if regexp.MustCompile(d.pattern).MatchString(difference) {
			return true
		}
	}
	return false
}

// TestOracle compares every document of every file of testdata/conf with what
// keepalived writes.
func TestOracle(t *testing.T) {
	o := newOracle(t)
	for _, file := range confFiles(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".conf")
		if why := beyond[name]; why != "" {
			t.Logf("%s: keepalived cannot be asked: %s", name, why)
			continue
		}
		t.Run(name, func(t *testing.T) {
			if stumbles[name] != "" {
				file = o.cleaned(t, file)
			}
			ours, links := o.ours(t, file)
			theirs, said := o.ask(t, file, links, len(ours))
			if len(theirs) < len(ours) {
				t.Errorf("keepalived writes %d documents and lvsd %d: %s", len(theirs), len(ours), lastLines(said, 12))
			}
			for document, want := range theirs {
				for _, d := range compare(want, ours[document]) {
					if d = document + ": " + d; !known(name, d) {
						t.Error(d)
					}
				}
			}
		})
	}
}

// certificates are a block whose files keepalived does not start without.
var certificates = regexp.MustCompile(`(?ms)^SSL \{.*?^\}\n`)

// cleaned is a file with what lvsd has understood of another one.
func (o *oracle) cleaned(t *testing.T, file string) string {
	t.Helper()
	options := parser.Options{File: file, ConfigID: "here"}
	c, _, err := parser.Load(options)
	if err != nil {
		t.Fatal(err)
	}
	options.Environment = named(c)
	if c, _, err = parser.Load(options); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := parser.Write(&text, c); err != nil {
		t.Fatal(err)
	}
	clean := filepath.Join(t.TempDir(), filepath.Base(file))
	kept := certificates.ReplaceAllString(text.String(), "")
	if err := os.WriteFile(clean, elsewhere.ReplaceAll([]byte(kept), []byte("$1")), 0o600); err != nil {
		t.Fatal(err)
	}
	return clean
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
		sorted := strings.HasPrefix(name, "GARP delay group") // by the number of the interface
		if len(lost)+len(extra) == 0 && !slices.Equal(a[name], b[name]) && !sorted {
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
			section, block = numbered.ReplaceAllString(strings.Trim(line, "-<> "), "$1"), ""
			line = section
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

// numbered are sections that keepalived counts otherwise when they were given as
// a list of interfaces.
var numbered = regexp.MustCompile(`^(GARP delay group) \d+`)

// stateOnly are sections of which lvsd has another state, or none.
var stateOnly = []string{"VRRP Sockpool", "Interfaces", "BFD Data"}

var (
	asideLines = compileAside()
	rewrites   = compileOtherwise()
)

// scriptLine is a notify script.
var scriptLine = regexp.MustCompile(`^   \w[\w ]* state transition script = '([^']*)'`)

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
	if m := scriptLine.FindStringSubmatch(line); m != nil && machine(nil).Executable(m[1]) != nil {
		return "", false // lvsd keeps it: it may come later
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
