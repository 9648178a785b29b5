package notify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
)

// TestMain lets the test binary be a process that runs a script and is killed.
func TestMain(m *testing.M) {
	if line := os.Getenv("NOTIFY_TEST_EXEC"); line != "" {
		status, _ := Exec(context.Background(), command(line))
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// A script does not survive lvsd, whatever ended that.
func TestDeathSignal(t *testing.T) {
	dir := t.TempDir()
	line := script(t, dir, "script", `trap 'echo gone >$dir/gone; exit' TERM; echo x >$dir/up; while :; do sleep 0.01; done`)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), "NOTIFY_TEST_EXEC="+line)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, dir+"/up")
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err == nil {
		t.Error("not killed")
	}
	await(t, dir+"/gone")
}

// script writes an executable shell script and returns its path. Its $dir is
// the directory of the test.
func script(t *testing.T, dir, name, body string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\ndir="+dir+"\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

func command(line string) config.Command {
	return config.NewCommand(line, config.User{}, config.Origin{})
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

// await waits until a file holds something.
func await(t *testing.T, path string) string {
	t.Helper()
	for {
		if s := read(t, path); strings.HasSuffix(s, "\n") {
			return s
		}
		time.Sleep(time.Millisecond)
	}
}

// children are the processes whose parent this test is, zombies too.
func children(t *testing.T) []string {
	t.Helper()
	var found []string
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if fields[1] == strconv.Itoa(os.Getpid()) {
			found = append(found, strings.TrimSpace(string(b)))
		}
	}
	return found
}

func noChildren(t *testing.T) {
	t.Helper()
	if c := children(t); len(c) > 0 {
		t.Errorf("children left: %q", c)
	}
}

func TestExec(t *testing.T) {
	const flood = -1000
	dir := t.TempDir()
	args := script(t, dir, "args", `for a; do printf '<%s>' "$a"; done >$dir/out`)
	env := script(t, dir, "env", `{ echo "[$LD_LIBRARY_PATH$LD_PRELOAD]$KEPT"; readlink /proc/$$/fd/0 /proc/$$/fd/1; } >$dir/out 2>&1
n=0; for fd in 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$fd ] && n=$((n+1)); done; echo $n >>$dir/out`)
	nohash := filepath.Join(dir, "nohash")
	if err := os.WriteFile(nohash, []byte("printf '<%s>' \"$1\" >"+dir+"/out\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	group := script(t, dir, "group", `cut -d' ' -f5 /proc/$$/stat >$dir/out; echo $$ >>$dir/out`)
	t.Setenv("LD_LIBRARY_PATH", "/nowhere")
	t.Setenv("KEPT", "kept")
	for _, tc := range []struct {
		line   string
		extra  []string
		status int
		out    string
	}{
		{args + " 'a b' \"\" c", []string{"INSTANCE", "VI 1", "MASTER", "100"}, 0, "<a b><><c><INSTANCE><VI 1><MASTER><100>"},
		{"true; " + args + " x", []string{"GROUP", "it's $HOME", "BACKUP", "0"}, 0, "<x><GROUP><it's $HOME><BACKUP><0>"},
		{args + " $HOME '&&' x", nil, 0, "<$HOME><&&><x>"},
		{nohash + " 1", nil, 0, "<1>"},
		{"sh -c 'exit 3'", nil, 3, ""},
		{"sh -c 'exit 127'", nil, 127, ""},
		{"sh -c 'kill -9 $$'", nil, -9, ""},
		{"sh -c 'exit 137'", nil, 137, ""},
		{"test -e /nonexistent && exit 1 || exit 4", nil, 4, ""},
		{"test -e / && exit 1 || exit 4", nil, 1, ""},
		{"yes", nil, flood, ""}, // ended below
		{env, nil, 0, "[]kept\n/dev/null\n" + dir + "/out\n0\n"},
	} {
		_ = os.Remove(dir + "/out")
		ctx, cancel := context.WithCancel(t.Context())
		if tc.status == flood {
			time.AfterFunc(100*time.Millisecond, cancel)
		}
		status, err := Exec(ctx, command(tc.line), tc.extra...)
		cancel()
		if tc.status == flood {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %d, %v", tc.line, status, err)
			}
			continue
		}
		if out := read(t, dir+"/out"); status != tc.status || err != nil || out != tc.out {
			t.Errorf("%s: status %d, %v, output %q; want %d, %q", tc.line, status, err, out, tc.status, tc.out)
		}
		if want := tc.status == 0; Passed(status, err) != want {
			t.Errorf("%s: Passed is not %v", tc.line, want)
		}
	}
	if _, err := Exec(t.Context(), command(group)); err != nil {
		t.Error(err)
	}
	if pids := strings.Fields(read(t, dir+"/out")); len(pids) != 2 || pids[0] != pids[1] {
		t.Errorf("process group and pid %q differ", pids)
	}
	noChildren(t)
}

func TestExecNotRun(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	badInterpreter := filepath.Join(dir, "interpreter")
	for path, mode := range map[string]os.FileMode{plain: 0o644, badInterpreter: 0o755} {
		if err := os.WriteFile(path, []byte("#!/nonexistent/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		cmd  config.Command
		want string
	}{
		{command(plain + " x"), "cannot run script " + plain + " x: permission denied"},
		{command(badInterpreter), "cannot run script " + badInterpreter + ": its interpreter does not exist"},
		{command("/nonexistent x"), "cannot run script /nonexistent x: no such file or directory"},
		{command("lvsd-nonexistent"), "cannot run script lvsd-nonexistent: executable file not found in $PATH"},
		{command("''"), "cannot run script '': no command"},
		{command(`sh \000`), `cannot run script sh \000: invalid argument`},
		{command("exit 127;"), "cannot run script exit 127;: /bin/sh: exit status 127"},
		{config.NewCommand("true", config.User{Name: "lvsd-nobody"}, config.Origin{}), "cannot run script true: as user lvsd-nobody: user: unknown user lvsd-nobody"},
		{config.NewCommand("true", config.User{Name: "root", Group: "lvsd-nobody"}, config.Origin{}), "cannot run script true: as group lvsd-nobody: group: unknown group lvsd-nobody"},
	} {
		status, err := Exec(t.Context(), tc.cmd)
		if !errors.Is(err, ErrNotRun) || err.Error() != tc.want {
			t.Errorf("%v, want %s", err, tc.want)
		}
		if !Passed(status, err) {
			t.Errorf("%v does not pass, which it does with keepalived", err)
		}
	}
	noChildren(t)
}

// A script that ignores SIGTERM, and so do its children: all are gone when
// Exec returns, and none holds it up.
func TestExecTimeout(t *testing.T) {
	for name, body := range map[string]string{
		"leader and children": "trap '' TERM\n(while :; do sleep 1; done) &\nsleep 1000 &\necho $$ >$dir/pid\nwhile :; do sleep 1; done",
		"children only":       "(trap '' TERM; echo x >$dir/child; while :; do sleep 1; done) &\nuntil test -s $dir/child; do :; done\necho $$ >$dir/pid\nwait",
		"stops itself":        "echo $$ >$dir/pid\nkill -STOP $$",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				await(t, dir+"/pid")
				cancel()
			}()
			_, err := Exec(ctx, command(script(t, dir, "hang", body)))
			if !errors.Is(err, context.Canceled) || errors.Is(err, ErrNotRun) {
				t.Errorf("error %v", err)
			}
			group, err := strconv.Atoi(strings.TrimSpace(read(t, dir+"/pid")))
			if err != nil {
				t.Fatal(err)
			}
			for len(members(t, group)) > 0 { // SIGKILL takes its moment
				time.Sleep(time.Millisecond)
			}
		})
	}
}

// members are the processes of a group, without zombies: those that lost their
// parent are init's to wait for.
func members(t *testing.T, group int) []string {
	t.Helper()
	var left []string
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if fields[2] == strconv.Itoa(group) && !slices.Contains([]string{"Z", "X"}, fields[0]) {
			left = append(left, strings.TrimSpace(string(b)))
		}
	}
	return left
}

func TestExecUser(t *testing.T) {
	if os.Geteuid() != 0 && testing.Short() {
		t.Skip("LEFT OUT by -short: only root can run scripts as somebody else; `make test` does")
	}
	for _, tc := range []struct {
		user config.User
		all  bool
		want string
	}{
		{config.User{Name: "nobody"}, false, "65534 65534 65534"},
		{config.User{Name: "nobody", Group: "daemon"}, false, "65534 1 1"},
		{config.User{Name: "nobody", Group: "daemon"}, true, "65534 1 1 65534"},
		{config.User{Name: "nobody", Group: ":daemon"}, false, "65534 1 1 65534"},
		{config.User{Name: "daemon", Group: ":daemon"}, false, "1 1 1"},
		{config.User{}, true, fmt.Sprintf("%d %d", os.Geteuid(), os.Getegid())},
	} {
		dir, err := os.MkdirTemp("/tmp", "notify-user") // t.TempDir is closed to others
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		cmd := config.NewCommand(script(t, dir, "id", `echo $(id -u) $(id -g) $(id -G) >$dir/out`), tc.user, config.Origin{})
		cmd.AllGroups = tc.all
		if status, err := Exec(t.Context(), cmd); status != 0 || err != nil {
			t.Errorf("%+v: status %d, %v", tc.user, status, err)
		}
		if got := read(t, dir+"/out"); !strings.HasPrefix(got, tc.want) {
			t.Errorf("%+v: runs as %q, want %q", tc.user, got, tc.want)
		}
	}
}

// With enable_script_security root runs nothing that others may change, in a
// line for a shell neither; who is not root may.
func TestExecSecure(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: only root's scripts are looked at; `make test` runs as root")
	}
	dir, err := os.MkdirTemp("/run", "notify-secure-") // where all above is root's
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	good, open := script(t, dir, "good", "exit 7"), script(t, dir, "open", "exit 7")
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	refused := "enable_script_security: " + open + " may be written by others than root"
	nobody := config.User{Name: "nobody"}
	for _, tc := range []struct {
		line string
		user config.User
		why  string
	}{
		{good, config.User{}, ""},
		{"good", config.User{}, ""},
		{open, config.User{}, refused},
		{"open x", config.User{}, refused},
		{open, config.User{Name: "root"}, refused},
		{open, config.User{Name: "0"}, refused},
		{open + " || true", config.User{}, refused},
		{open, nobody, ""},
		{open, config.User{Name: "4242"}, ""}, // a number without an account
		{dir + "/missing", config.User{}, "no such file or directory"},
		{"lvsd-missing", config.User{}, "executable file not found in $PATH"},
		{good, config.User{Name: "lvsd-nobody"}, "as user lvsd-nobody: user: unknown user lvsd-nobody"},
	} {
		cmd := config.NewCommand(tc.line, tc.user, config.Origin{})
		cmd.Secure = true
		why := ""
		if err := Runnable(cmd); err != nil {
			why = err.Error()
		}
		if why != tc.why {
			t.Errorf("%s as %q: %q, want %q", tc.line, tc.user.Name, why, tc.why)
		}
		status, err := Exec(t.Context(), cmd)
		if ran := err == nil && status == 7; ran != (tc.why == "") || !ran && err.Error() != "cannot run script "+tc.line+": "+tc.why {
			t.Errorf("%s as %q: %d, %v", tc.line, tc.user.Name, status, err)
		}
	}
	unguarded := config.NewCommand(open, config.User{}, config.Origin{})
	if status, err := Exec(t.Context(), unguarded); status != 7 || err != nil {
		t.Errorf("without enable_script_security: %d, %v", status, err)
	}
}
