package syslog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// files are keepalived's log files, -g: one for each process that it would
// have, with _vrrp, _healthcheckers and _bfd before the extension.
type files struct {
	path   string
	mode   fs.FileMode
	format Format
	open   map[string]*os.File
}

func (f *files) String() string { return "log file" }

func (f *files) write(l line) error {
	path := f.name(l)
	file, err := f.file(path)
	if err != nil {
		return err
	}
	text := f.format.form(l)
	n, err := io.WriteString(file, text)
	if err == nil {
		return nil
	}
	if n > 0 { // a disk that is full in the middle of a line
		if info, e := file.Stat(); e == nil && info.Mode().IsRegular() {
			err = errors.Join(err, file.Truncate(info.Size()-int64(n)))
		}
	}
	f.close(path)
	return err
}

// name is the file of a line.
func (f *files) name(l line) string {
	part := ""
	if p := process(l.name); p != "keepalived" {
		part = "_" + p
	}
	extension := filepath.Ext(f.path)
	return strings.TrimSuffix(f.path, extension) + part + l.suffix + extension
}

// file is the one at path, opened anew when somebody has moved it away or
// deleted it, as logrotate does.
func (f *files) file(path string) (*os.File, error) {
	if file := f.open[path]; file != nil {
		there, err := os.Lstat(path)
		if mine, e := file.Stat(); err == nil && e == nil && os.SameFile(there, mine) {
			return file, nil
		}
		f.close(path)
	}
	// Never through a link, and never waiting for the reader of a FIFO: the
	// folder may be one where everybody can make files.
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, f.mode)
	if err != nil {
		return nil, err
	}
	if err := own(file); err != nil {
		_ = file.Close()
		return nil, err
	}
	if f.open == nil {
		f.open = make(map[string]*os.File)
	}
	f.open[path] = file
	return file, nil
}

func (f *files) close(path string) {
	_ = f.open[path].Close() // what was written is written
	delete(f.open, path)
}

// own fails when the file is somebody else's, who could read it.
func own(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && int(s.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to somebody else", file.Name())
	}
	return nil
}
