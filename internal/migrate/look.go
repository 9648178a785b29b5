package migrate

import (
	"cmp"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Start is a way in which keepalived is started on the machine.
type Start struct {
	Where string   // the file that says so, or the process
	Args  []string // with the program as the first
	Pid   int      // of a running one; 0 otherwise
}

// Reader is a program that reads keepalived's files or sends it signals.
type Reader struct {
	Name string // of the process
	Pid  int
	Uses string // what of keepalived it uses
}

// Report is what [Look] has found.
type Report struct {
	Starts  []Start
	Readers []Reader
}

// unitFolders are where systemd looks for units, the first wins, systemd.unit(5).
var unitFolders = []string{"etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"}

// readers are programs that are known to use keepalived, by how their names
// begin, and what they use.
var readers = map[string]string{
	"keepalived_exporter": "the JSON dump, signal 36",
	"keepalived-exporter": "keepalived -v, --signum, the dumps",
	"keepalived-status":   "the dumps",
	"neutron-l3-agent":    "options, pid files, SIGHUP",
	"amphora-agent":       "options, pid files, SIGHUP",
	"snmpd":               "SNMP, when keepalived registers with it",
}

// Look reads the machine below a root, "/" as a rule. What cannot be read is
// taken for absent.
func Look(root fs.FS) Report {
	var r Report
	if s, ok := unit(root, "keepalived.service"); ok {
		r.Starts = append(r.Starts, s)
	} else if _, err := fs.Stat(root, "etc/init.d/keepalived"); err == nil {
		args := append([]string{"/usr/sbin/keepalived"}, environment(root, "etc/default/keepalived")["DAEMON_ARGS"]...)
		r.Starts = append(r.Starts, Start{Where: "/etc/init.d/keepalived", Args: args})
	}
	r.processes(root)
	return r
}

// unit is how systemd starts a service: the last ExecStart of the unit and its
// drop-ins, with the variables of its environment files.
func unit(root fs.FS, name string) (Start, bool) {
	var s Start
	var lines []string
	seen := map[string]bool{}
	for _, folder := range unitFolders {
		if text, err := fs.ReadFile(root, path.Join(folder, name)); err == nil && s.Where == "" {
			s.Where = "/" + path.Join(folder, name)
			lines = append(lines, strings.Split(string(text), "\n")...)
		}
	}
	var dropIns []string
	for _, folder := range unitFolders {
		found, _ := fs.Glob(root, path.Join(folder, name+".d", "*.conf")) // the pattern is well formed
		for _, file := range found {
			if !seen[path.Base(file)] {
				seen[path.Base(file)] = true
				dropIns = append(dropIns, file)
			}
		}
	}
	slices.SortFunc(dropIns, func(a, b string) int { return cmp.Compare(path.Base(a), path.Base(b)) })
	for _, file := range dropIns {
		if text, err := fs.ReadFile(root, file); err == nil {
			lines = append(lines, strings.Split(string(text), "\n")...)
		}
	}
	variables := map[string][]string{}
	var exec string
	for _, line := range lines {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch strings.TrimSpace(key) {
		case "ExecStart":
			exec = strings.TrimLeft(strings.TrimSpace(value), "-@:+!")
		case "EnvironmentFile":
			maps.Copy(variables, environment(root, strings.TrimLeft(strings.TrimSpace(value), "-/")))
		}
	}
	s.Args = expand(strings.Fields(exec), variables)
	return s, len(s.Args) > 0
}

var variable = regexp.MustCompile(`^\$\{?(\w+)\}?$`)

// expand replaces words that are a variable by its words, as systemd does.
func expand(words []string, variables map[string][]string) []string {
	var all []string
	for _, word := range words {
		if name := variable.FindStringSubmatch(word); name != nil {
			all = append(all, variables[name[1]]...)
			continue
		}
		all = append(all, word)
	}
	return all
}

// environment reads the lines NAME="WORDS" of a file.
func environment(root fs.FS, name string) map[string][]string {
	all := map[string][]string{}
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return all
	}
	for line := range strings.Lines(string(text)) {
		key, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if found && !strings.HasPrefix(key, "#") {
			all[strings.TrimSpace(key)] = strings.Fields(strings.Trim(strings.TrimSpace(value), `"'`))
		}
	}
	return all
}

// processes finds running keepaliveds, without their children, and those who
// read their files.
func (r *Report) processes(root fs.FS) {
	found, _ := fs.Glob(root, "proc/[0-9]*/cmdline") // the pattern is well formed
	parents := map[int]int{}
	daemons := map[int]Start{}
	for _, file := range found {
		pid, err := strconv.Atoi(path.Base(path.Dir(file)))
		if err != nil {
			continue
		}
		text, err := fs.ReadFile(root, file)
		args := strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
		if err != nil || args[0] == "" {
			continue
		}
		name := path.Base(args[0])
		if name == "keepalived" {
			parents[pid] = parent(root, pid)
			daemons[pid] = Start{Where: "process " + strconv.Itoa(pid), Args: args, Pid: pid}
			continue
		}
		for begin, uses := range readers {
			if strings.HasPrefix(name, begin) || len(args) > 1 && strings.HasPrefix(path.Base(args[1]), begin) {
				r.Readers = append(r.Readers, Reader{Name: begin, Pid: pid, Uses: uses})
			}
		}
	}
	for _, pid := range slices.Sorted(maps.Keys(daemons)) {
		if _, child := daemons[parents[pid]]; !child {
			r.Starts = append(r.Starts, daemons[pid])
		}
	}
	slices.SortFunc(r.Readers, func(a, b Reader) int { return cmp.Compare(a.Pid, b.Pid) })
}

// parent is the parent of a process, 0 when unknown, proc(5).
func parent(root fs.FS, pid int) int {
	text, err := fs.ReadFile(root, path.Join("proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "PPid:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(value)) // the kernel writes a number
			return n
		}
	}
	return 0
}
