package rootpath

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: only root can give files away; `make test` runs it as root")
	}
	dir, err := os.MkdirTemp("/run", "rootpath-") // all above is root's
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	file := func(name string, mode os.FileMode, uid, gid int) {
		t.Helper()
		path := filepath.Join(dir, name)
		must(os.WriteFile(path, nil, 0o600))
		must(os.Chown(path, uid, gid))
		must(os.Chmod(path, mode))
	}
	folder := func(name string, mode os.FileMode, uid, gid int) {
		t.Helper()
		path := filepath.Join(dir, name)
		must(os.Mkdir(path, 0o700))
		must(os.Chown(path, uid, gid))
		must(os.Chmod(path, mode))
	}
	link := func(target, name string) {
		t.Helper()
		must(os.Symlink(target, filepath.Join(dir, name)))
	}
	const nobody, daemon = 65534, 1
	must(os.Chmod(dir, 0o755))
	file("good", 0o755, 0, 0)
	file("group root", 0o775, 0, 0)
	file("group", 0o775, 0, daemon)
	file("group reads", 0o755, 0, daemon)
	file("others", 0o757, 0, 0)
	file("sticky", 0o757|os.ModeSticky, 0, 0)
	file("nobody's", 0o755, nobody, 0)
	folder("open", 0o777, 0, 0)
	file("open/good", 0o755, 0, 0)
	folder("shared", 0o777|os.ModeSticky, 0, 0)
	file("shared/good", 0o755, 0, 0)
	file("shared/nobody's", 0o755, nobody, 0)
	folder("nobodys", 0o755, nobody, 0)
	file("nobodys/good", 0o755, 0, 0)
	folder("closed", 0o755, 0, 0)
	file("closed/good", 0o755, 0, 0)
	link("good", "to good")
	link(dir+"/good", "to good, absolute")
	link("open/good", "to open")
	link("closed", "to closed")
	link("open", "to open folder")
	link("others", "to others")
	link("loop", "loop")
	link("nowhere", "dangling")
	link("../open/good", "closed/up")
	link("good", "nobody's link")
	must(os.Lchown(filepath.Join(dir, "nobody's link"), nobody, 0))

	writable := func(name string) string { return dir + "/" + name + " may be written by others than root" }
	for name, want := range map[string]string{
		"good": "", "group root": "", "group reads": "", "shared/good": "", "closed/good": "", "./closed//../good": "",
		"to good": "", "to good, absolute": "", "to closed/good": "", "to closed/../good": "",
		"group": writable("group"), "others": writable("others"), "sticky": writable("sticky"), "open/good": writable("open"),
		"to open": writable("open"), "to open folder/good": writable("open"), "to others": writable("others"), "closed/up": writable("open"),
		"nobody's":        dir + "/nobody's belongs to user 65534, not to root",
		"nobody's link":   dir + "/nobody's link belongs to user 65534, not to root",
		"shared/nobody's": dir + "/shared/nobody's belongs to user 65534, not to root",
		"nobodys/good":    dir + "/nobodys belongs to user 65534, not to root",
		"loop":            "follow " + dir + "/loop: too many levels of symbolic links",
		"dangling":        "stat " + dir + "/nowhere: no such file or directory",
		"missing":         "stat " + dir + "/missing: no such file or directory",
	} {
		got := ""
		if err := Check(dir + "/" + name); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if err := Check("good"); err == nil || !strings.Contains(err.Error(), "not an absolute path") {
		t.Error(err)
	}
}
