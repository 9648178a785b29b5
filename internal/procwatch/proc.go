package procwatch

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// proc reads a proc(5) file system.
type proc struct {
	root string
	self int // this process, which does not count: it may be called keepalived, and another be meant
}

// read is a process; one that has ended, a zombie included, is none.
func (f proc) read(pid int, withArgs bool) (process, bool) {
	if pid == f.self {
		return process{}, false
	}
	dir := filepath.Join(f.root, strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return process{}, false
	}
	p, alive := parseStat(stat)
	if !alive || !withArgs {
		return p, alive
	}
	line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return process{}, false
	}
	if line = bytes.TrimSuffix(line, []byte{0}); len(line) > 0 {
		p.args = strings.Split(string(line), "\x00")
	}
	return p, true
}

// parseStat reads `PID (NAME) STATE PARENT ...`. The name may hold anything.
func parseStat(stat []byte) (p process, alive bool) {
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return p, false
	}
	p.name = string(stat[open+1 : end])
	fields := bytes.Fields(stat[end+1:])
	if len(fields) < 2 {
		return p, false
	}
	parent, err := strconv.Atoi(string(fields[1]))
	p.parent = parent
	state := fields[0][0]
	return p, err == nil && state != 'Z' && state != 'X' && state != 'x'
}

// all are the processes that run now.
func (f proc) all(withArgs bool) (map[int]process, error) {
	root, err := os.Open(f.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	names, err := root.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	found := make(map[int]process, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, alive := f.read(pid, withArgs); alive {
			found[pid] = p
		}
	}
	return found, nil
}
