// Package rootpath says whether somebody else than root can change what a path
// leads to: enable_script_security of keepalived.conf(5).
package rootpath

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links a path may lead through, as the kernel
// has it, path_resolution(7).
const maxLinks = 40

// Check is nil when root alone can change what an absolute path leads to, and
// says otherwise what is in the way: each part of the path, and of the paths of
// symbolic links on the way, must be root's, and neither its group, unless that
// is root's, nor others may write to it. Others may write to a directory with
// the sticky bit, where they cannot replace what is root's.
func Check(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%s is not an absolute path", path)
	}
	if err := trusted("/"); err != nil {
		return err
	}
	at, rest, links := "/", parts(path), 0
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			at = filepath.Dir(at) // it was looked at on the way down
			continue
		}
		next := filepath.Join(at, name)
		if err := trusted(next); err != nil {
			return err
		}
		target, err := os.Readlink(next)
		if err != nil {
			at = next // not a link
			continue
		}
		if links++; links > maxLinks {
			return &os.PathError{Op: "follow", Path: path, Err: unix.ELOOP}
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(parts(target), rest...)
	}
	return nil
}

// parts are those of a path but for the dots that stay where they are.
func parts(path string) (all []string) {
	for part := range strings.SplitSeq(path, "/") {
		if part != "" && part != "." {
			all = append(all, part)
		}
	}
	return all
}

var errAnyone = errors.New("may be written by others than root")

// trusted is about one part of a path.
func trusted(path string) error {
	var s unix.Stat_t
	if err := unix.Lstat(path, &s); err != nil {
		return &os.PathError{Op: "stat", Path: path, Err: err}
	}
	kind := s.Mode & unix.S_IFMT
	open := s.Mode&unix.S_IWOTH != 0 || s.Mode&unix.S_IWGRP != 0 && s.Gid != 0
	switch {
	case s.Uid != 0:
		return fmt.Errorf("%s belongs to user %d, not to root", path, s.Uid)
	case kind == unix.S_IFLNK, kind == unix.S_IFDIR && s.Mode&unix.S_ISVTX != 0:
		return nil
	case open:
		return fmt.Errorf("%s %w", path, errAnyone)
	}
	return nil
}
