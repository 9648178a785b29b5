package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const (
	untidy = "vrrp_script chk\n{\nscript   /bin/true\n\n\n}\n"
	tidy   = "vrrp_script chk {\n    script /bin/true\n}\n"
)

func TestFmt(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.conf"), filepath.Join(dir, "b.conf")
	write := func() {
		t.Helper()
		for name, text := range map[string]string{a: untidy, b: tidy} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	change := "diff " + a + ".orig " + a + "\n--- " + a + ".orig\n+++ " + a + "\n@@ -1,6 +1,3 @@\n" +
		"-vrrp_script chk\n-{\n-script   /bin/true\n-\n-\n+vrrp_script chk {\n+    script /bin/true\n }\n"
	for _, tc := range []struct {
		args   string
		status int
		stdout string
		after  string // what a holds
	}{
		{a + " " + b, 0, tidy + tidy, untidy},
		{"-l " + a + " " + b, 1, a + "\n", untidy},
		{"-d " + a + " " + b, 1, change, untidy},
		{"-ld " + a, 1, a + "\n" + change, untidy},
		{"-l " + b, 0, "", untidy},
		{"-w " + a + " " + b, 0, "", tidy},
		{"-w -l " + a + " " + b, 0, a + "\n", tidy},
		{"-w " + dir + "/none " + a, 2, "", tidy},
		{"-w", 2, "", untidy},
	} {
		write()
		status, stdout, stderr := call(append([]string{"lvsd", "fmt"}, strings.Fields(tc.args)...)...)
		if status != tc.status || stdout != tc.stdout || (status == statusTrouble) != (stderr != "") {
			t.Errorf("fmt %s: status %d, %q, %q; want %d, %q", tc.args, status, stdout, stderr, tc.status, tc.stdout)
		}
		if text, _ := os.ReadFile(a); string(text) != tc.after {
			t.Errorf("fmt %s leaves %q, want %q", tc.args, text, tc.after)
		}
	}
	if left, _ := filepath.Glob(dir + "/.*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFmtStdin(t *testing.T) {
	p := &program{argv: []string{"lvsd"}}
	cmd := fmtCommand(p)
	var out bytes.Buffer
	cmd.SetIn(strings.NewReader(untidy))
	cmd.SetOut(&out)
	cmd.SetArgs(nil)
	if err := cmd.Execute(); err != nil || out.String() != tidy {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// The file behind a symbolic link is replaced as a whole, with its mode and
// owner.
func TestFmtKeepsFile(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte(untidy), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o646); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", link); err != nil {
		t.Fatal(err)
	}
	owner := os.Getuid()
	if owner == 0 {
		owner = 12345
		if err := os.Chown(file, owner, owner); err != nil {
			t.Fatal(err)
		}
	} else {
		t.Log("NOT ROOT: whether a foreign owner is kept is not tested")
	}
	before, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if status, _, stderr := call("lvsd", "fmt", "-w", link); status != 0 {
		t.Fatal(stderr)
	}
	info, err := os.Lstat(file)
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); info.Mode() != 0o646 || int(st.Uid) != owner {
		t.Errorf("mode %v, owner %d", info.Mode(), st.Uid)
	}
	if target, err := os.Readlink(link); err != nil || target != "file" {
		t.Errorf("the link: %q, %v", target, err)
	}
	old := new(strings.Builder)
	if _, err := before.WriteTo(old); err != nil || old.String() != untidy {
		t.Errorf("who has the file open reads %q, %v", old, err)
	}
	if text, _ := os.ReadFile(file); string(text) != tidy {
		t.Errorf("the file: %q", text)
	}
}
