package parser

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Files is where configuration files come from. Names are slash-separated
// paths; Open answers only for regular files.
type Files interface {
	Open(name string) (io.ReadCloser, error)
	// Glob are the names that match a glob(3) pattern without braces, sorted.
	Glob(pattern string) ([]string, error)
	// IsDir reports whether there is a folder of that name.
	IsDir(name string) bool
	// Abs is the name from the root.
	Abs(name string) string
}

// Disk is the file system of this machine.
type Disk struct{}

// Open opens a regular file that is not executable, as keepalived wants its
// configuration to be: a fifo or a device would block the reader, a script in
// a conf.d is a mistake.
func (Disk) Open(name string) (io.ReadCloser, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		return nil, fmt.Errorf("Configuration file '%s/' is a directory - skipping", name) //nolint:staticcheck // keepalived's sentence
	}
	if !st.Mode().IsRegular() || st.Mode()&0o111 != 0 {
		return nil, fmt.Errorf("Configuration file '%s' is not a regular non-executable file - skipping", name) //nolint:staticcheck // keepalived's sentence
	}
	return os.Open(name)
}

// Glob expands a pattern as glob(3) does; `**` is no more than `*` there.
func (Disk) Glob(pattern string) ([]string, error) {
	return doublestar.FilepathGlob(stars.ReplaceAllString(pattern, "*"))
}

// IsDir implements [Files].
func (Disk) IsDir(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.IsDir()
}

var stars = regexp.MustCompile(`\*\*+`)

// Abs implements [Files].
func (Disk) Abs(name string) string {
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}

// Memory is a set of files by name: tests, and configurations that are not on
// a disk yet.
type Memory map[string]string

// Open opens a file of the set.
func (m Memory) Open(name string) (io.ReadCloser, error) {
	text, ok := m[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

// IsDir implements [Files]: folders are what the names say.
func (m Memory) IsDir(name string) bool {
	for file := range m {
		if name == "." || strings.HasPrefix(file, strings.TrimSuffix(name, "/")+"/") {
			return true
		}
	}
	return false
}

// Abs implements [Files]: names are what they are.
func (m Memory) Abs(name string) string { return name }

// Glob implements [Files].
func (m Memory) Glob(pattern string) ([]string, error) {
	var names []string
	for name := range m {
		ok, err := doublestar.Match(pattern, name)
		if err != nil {
			return nil, err
		}
		if ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}
