package supervisor_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/supervisor"
)

// A key is read from a regular file, of which is said whether others can read
// it; a pipe does not make us wait, and an endless file does not fill the memory.
func TestKeyFile(t *testing.T) {
	folder := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pipe := filepath.Join(folder, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path    string
		length  int
		private bool
		fails   bool
	}{
		{file("own", "secret\n", 0o600), 7, true, false},
		{file("group", "secret\n", 0o640), 7, false, false},
		{file("world", "secret\n", 0o604), 7, false, false},
		{file("long", strings.Repeat("x", 1<<20), 0o400), 4096, true, false},
		{pipe, 0, false, true},
		{folder, 0, false, true},
		{filepath.Join(folder, "gone"), 0, false, true},
	} {
		content, private, err := supervisor.Machine().KeyFile(tt.path)
		if len(content) != tt.length || private != tt.private || (err != nil) != tt.fails {
			t.Errorf("%s: %d bytes, private %t, %v", filepath.Base(tt.path), len(content), private, err)
		}
	}
}

// The MTU of an interface is that of the machine; of what is not there it is
// not known.
func TestMTU(t *testing.T) {
	m := supervisor.Machine()
	if m.MTU("lo") == 0 || m.MTU("nosuch0") != 0 || !m.HasInterface("lo") || m.HasInterface("nosuch0") {
		t.Errorf("lo: %d, nosuch0: %d", m.MTU("lo"), m.MTU("nosuch0"))
	}
}

// Only what root is to run, and others may change, is unsafe.
func TestUnsafe(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: only root's scripts are looked at; `make test` runs as root")
	}
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := os.WriteFile(open, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		user   config.User
		unsafe bool
	}{
		{open, config.User{}, true}, {open, config.User{Name: "root"}, true}, {open, config.User{Name: "0", Group: "daemon"}, true},
		{open, config.User{Name: "nobody"}, false}, {open, config.User{Name: "lvsd-nobody"}, false},
		{filepath.Join(dir, "missing"), config.User{}, false}, {"true", config.User{}, false},
	} {
		if err := supervisor.Machine().Unsafe(tc.name, tc.user); (err != nil) != tc.unsafe {
			t.Errorf("%s as %+v: %v", tc.name, tc.user, err)
		}
	}
}
