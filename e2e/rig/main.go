package rig

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The environment of a test binary or the demo.
const (
	envDaemon = "LVSD_DAEMON" // the daemon under test, see Binary
	envGuest  = "LVSD_IN_VM"  // set inside the virtual machine

	envKernelTest = "LVSD_IPVS_TEST" // the tests of package ipvs, see KernelTest
)

// A Program is what [Main] and [MainIPVS] run: a *testing.M, or the demo.
type Program interface{ Run() int }

// Main is the body of a TestMain whose tests need namespaces but no IPVS: it
// sees to root, to missing programs and to the daemon under test, then runs
// the tests here. The result is for os.Exit.
func Main(p Program) int { return start(p, false) }

// MainIPVS is Main for tests that need IPVS: where the kernel has none, it
// runs this same program with these same arguments in the virtual machine.
func MainIPVS(p Program) int { return start(p, true) }

func start(p Program, needsIPVS bool) int {
	if !flag.Parsed() {
		flag.Parse()
	}
	if os.Getenv(envGuest) != "" || flagValue("test.list") != "" {
		return p.Run()
	}
	if flagValue("test.short") == "true" {
		fmt.Printf("LEFT OUT with -short: the tests of %s run daemons in network namespaces; `make test` runs them\n", program())
		return 0
	}
	status, err := prepareAndRun(p, needsIPVS)
	if err != nil {
		fmt.Fprintf(os.Stderr, "rig: %v\n", err)
		return 1
	}
	return status
}

// program is the name of the test's folder or the demo.
func program() string {
	return strings.TrimSuffix(filepath.Base(os.Args[0]), ".test")
}

// flagValue is a flag's value, or "" when the program has no such flag.
func flagValue(name string) string {
	if f := flag.Lookup(name); f != nil {
		return f.Value.String()
	}
	return ""
}

// limit is how long a virtual machine may run when go test sets none.
const limit = 15 * time.Minute

func prepareAndRun(p Program, needsIPVS bool) (int, error) {
	ctx := context.Background() // the virtual machine has a limit of its own
	native := !needsIPVS || hasIPVS()
	if native && os.Geteuid() != 0 {
		return sudo()
	}
	dir, err := os.MkdirTemp("", "lvsd-build-")
	if err != nil {
		return 0, fmt.Errorf("make a folder for lvsd: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	daemon, err := daemonUnderTest(ctx, dir)
	if err != nil {
		return 0, err
	}
	if needsIPVS && flag.Lookup("test.run") != nil {
		if err := buildKernelTest(ctx, filepath.Join(dir, "ipvs.test")); err != nil {
			return 0, err
		}
	}
	if native {
		needs := hostNeeds
		if needsIPVS { // the field's notify.sh calls /bin/python
			needs = append(slices.Clip(needs), need{"python", "python-is-python3"})
		}
		if err := install(ctx, os.Stdout, needs); err != nil {
			return 0, err
		}
		sweep()
		if err := os.Setenv(envDaemon, daemon); err != nil {
			return 0, err
		}
		return p.Run(), nil
	}
	return runInVM(ctx, daemon)
}

// runInVM runs this program in the virtual machine.
func runInVM(ctx context.Context, daemon string) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("find this program: %w", err)
	}
	dir, err := os.Getwd()
	if err != nil {
		return 0, fmt.Errorf("find the working folder: %w", err)
	}
	vm := VM{
		Command: append([]string{self}, guestArguments(os.Args[1:])...),
		Dir:     dir,
		Env:     []string{envGuest + "=1", envDaemon + "=" + daemon, "LVSD_CLUSTERS=" + os.Getenv("LVSD_CLUSTERS"), envKernelTest + "=" + os.Getenv(envKernelTest)},
		Warm:    []string{self, daemon, "bash", "cat", "env", "genl", "getent", "ls", "sh", "touch", "true"},
		Limit:   limit,
		Out:     os.Stdout,
	}
	for _, n := range hostNeeds {
		vm.Warm = append(vm.Warm, n.command)
	}
	if timeout, err := time.ParseDuration(flagValue("test.timeout")); err == nil && timeout > time.Minute {
		vm.Limit = timeout - 30*time.Second
	}
	return vm.Run(ctx)
}

// guestArguments leaves out what concerns this process only: the time limit,
// which the guest would measure in virtual time, and files of go test's own.
func guestArguments(args []string) []string {
	return slices.DeleteFunc(slices.Clone(args), func(arg string) bool {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		return slices.Contains([]string{"test.timeout", "test.testlogfile", "test.paniconexit0", "test.coverprofile", "test.gocoverdir"}, name)
	})
}

// hasIPVS reports whether this kernel has IPVS, loading it when it can.
func hasIPVS() bool {
	if _, err := os.Stat("/proc/net/ip_vs"); err == nil {
		return true
	}
	_ = asRoot("modprobe", "ip_vs").Run()
	_, err := os.Stat("/proc/net/ip_vs")
	return err == nil
}

// sudo runs this program again as root.
func sudo() (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("find this program: %w", err)
	}
	fmt.Fprintln(os.Stderr, "rig: network namespaces take root: continuing with sudo")
	c := exec.Command("sudo", append([]string{"-E", "env", "PATH=" + os.Getenv("PATH"), self}, os.Args[1:]...)...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = c.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// daemonUnderTest builds lvsd into dir, unless the environment names a daemon.
func daemonUnderTest(ctx context.Context, dir string) (string, error) {
	if daemon := os.Getenv(envDaemon); daemon != "" {
		fmt.Printf("rig: the daemon under test is %s, as %s says\n", daemon, envDaemon)
		return daemon, nil
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	daemon := filepath.Join(dir, "lvsd")
	fmt.Println("rig: building the daemon under test, lvsd")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", daemon, "./cmd/lvsd")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as make build has it
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build lvsd: %w\n%s", err, output)
	}
	return daemon, touchSources(root)
}

// buildKernelTest builds the tests of package ipvs, which need the kernel that
// this host may not have.
func buildKernelTest(ctx context.Context, path string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", path, "./ipvs")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the tests of ipvs: %w\n%s", err, output)
	}
	return os.Setenv(envKernelTest, path)
}

// KernelTest is the program with the tests of package ipvs, for where there is
// an IPVS.
func KernelTest() string { return os.Getenv(envKernelTest) }

// touchSources looks at every file of the project. go test remembers which files a
// test looked at, and answers from its cache only while they are the same:
// without this a test of another lvsd would be "cached".
func touchSources(root string) error {
	return filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root {
			return filepath.SkipDir
		}
		if err == nil && entry.Type().IsRegular() {
			_, err = os.Stat(path)
		}
		return err
	})
}

// Root is the folder of lvsd's go.mod: the working folder or one above it.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the working folder: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod in the working folder or above")
		}
		dir = filepath.Dir(dir)
	}
}
