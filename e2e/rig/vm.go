package rig

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// initScript mounts the host's files, read-only under a tmpfs, and starts
// guest.sh in them.
//
//go:embed init.sh
var initScript string

// guestScript runs the command inside, and reports its exit status.
//
//go:embed guest.sh
var guestScript string

// A VM is one command that runs on a kernel with IPVS, inside a virtual
// machine without KVM, on this host's own files: all that is installed here
// is there, and nothing written there comes back.
//
// Its time is virtual: it follows the instructions that the guest executes
// (qemu's -icount), so that a busy host upsets no protocol timer, and jumps
// while the guest waits. Fifteen seconds of waiting for a check to fail take
// none. The other side: work costs ten to fifty times what it costs natively,
// and a file read through the host's share for the first time may take any
// amount of virtual time, which is why guest.sh reads Warm beforehand.
type VM struct {
	Command []string      // absolute path and arguments
	Dir     string        // working directory
	Env     []string      // added to the guest's environment
	Warm    []string      // programs to read into memory before the command starts
	Limit   time.Duration // of real time, for everything
	Out     io.Writer     // what the command says, live
}

// Run boots the machine and answers with the command's exit status. An error
// means that there is none: the machine did not boot, broke, or took longer
// than its limit.
func (vm VM) Run(ctx context.Context) (int, error) {
	if runtime.GOARCH != "amd64" {
		return 0, fmt.Errorf("the virtual machine runs this host's programs on an amd64 kernel, and this host is %s", runtime.GOARCH)
	}
	ctx, cancel := context.WithTimeout(ctx, vm.Limit)
	defer cancel()
	if err := install(ctx, vm.Out, slices.Concat(vmNeeds, hostNeeds)); err != nil {
		return 0, err
	}
	img, err := fetchImage(ctx, vm.Out)
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "lvsd-vm-")
	if err != nil {
		return 0, fmt.Errorf("make a folder for the results: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	args, err := vm.prepare(ctx, img, dir)
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(vm.Out, "rig: booting %s in qemu, in virtual time (limit %s)\n", filepath.Base(img.kernel), vm.Limit)
	bootErr := vm.boot(ctx, args)
	status, err := os.ReadFile(filepath.Join(dir, "share", "status"))
	if err != nil {
		if ctx.Err() != nil {
			bootErr = fmt.Errorf("no result within %s: %w", vm.Limit, ctx.Err())
		}
		kernel, _ := os.ReadFile(filepath.Join(dir, "console"))
		return 0, fmt.Errorf("the virtual machine gave no result: %w\nthe end of its console:\n%s",
			errors.Join(bootErr, err), kernel[max(0, len(kernel)-4000):])
	}
	return strconv.Atoi(strings.TrimSpace(string(status)))
}

// prepare writes what the machine boots into dir, and answers with qemu's
// arguments.
func (vm VM) prepare(ctx context.Context, img image, dir string) ([]string, error) {
	initramfs, err := img.initramfs(ctx)
	if err != nil {
		return nil, err
	}
	share := filepath.Join(dir, "share")
	if err := os.Mkdir(share, 0o755); err != nil {
		return nil, fmt.Errorf("make a folder for the results: %w", err)
	}
	for path, content := range map[string][]byte{
		filepath.Join(dir, "initramfs"):   initramfs,
		filepath.Join(share, "guest.sh"):  []byte(guestScript),
		filepath.Join(share, "command"):   nulTerminated(vm.Command),
		filepath.Join(share, "env"):       nulTerminated(vm.Env),
		filepath.Join(share, "warm"):      []byte(strings.Join(warmFiles(ctx, vm.Warm), "\n") + "\n"),
		filepath.Join(share, "directory"): []byte(vm.Dir),
	} {
		if err := os.WriteFile(path, content, 0o755); err != nil {
			return nil, fmt.Errorf("prepare the virtual machine: %w", err)
		}
	}
	args := []string{
		"-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-smp", "1",
		"-M", "q35", "-cpu", "max", "-m", "3072", "-rtc", "base=utc,clock=vm",
		"-display", "none", "-nic", "none", "-no-reboot", "-monitor", "none",
		"-serial", "stdio", // ttyS0: what the command says
		"-serial", "file:" + filepath.Join(dir, "console"), // ttyS1: what the kernel says
		"-kernel", img.kernel, "-initrd", filepath.Join(dir, "initramfs"),
		"-append", "console=ttyS1 quiet loglevel=3 panic=-1 nohz=off random.trust_cpu=on",
	}
	args = append(args, sharedFolder("host", "/", "readonly=on")...)
	args = append(args, sharedFolder("modules", img.modules, "readonly=on")...)
	args = append(args, sharedFolder("share", share, "readonly=off")...)
	return args, nil
}

// warmFiles are all files that it takes to run some programs.
func warmFiles(ctx context.Context, programs []string) []string {
	files := []string{
		"/bin", "/sbin", "/lib", "/lib64", "/var/run", // links, mostly
		"/etc/ld.so.cache", "/etc/localtime", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf",
	}
	// Where users are looked for: getent(1) loads these as nsswitch.conf says.
	services, _ := filepath.Glob("/usr/lib/*/libnss_*.so.2")
	files = append(files, services...)
	for _, program := range programs {
		path, err := lookPath(program)
		if err != nil {
			continue
		}
		files = append(files, path)
		// Not a dynamic executable: no libraries, which is no error.
		libraries, _ := exec.CommandContext(ctx, "ldd", path).Output()
		for word := range strings.FieldsSeq(string(libraries)) {
			if filepath.IsAbs(word) {
				files = append(files, word)
			}
		}
	}
	// A mail that a notify script sends reads what smtplib imports.
	modules, _ := exec.CommandContext(ctx, "/usr/bin/python3", "-c", "import smtplib, sys\n"+
		"for m in sys.modules.values(): print(getattr(m, '__cached__', None) or '')").Output()
	return append(files, strings.Fields(string(modules))...)
}

// sharedFolder are qemu's arguments for a folder that the guest mounts by tag.
func sharedFolder(tag, path, access string) []string {
	return []string{
		"-fsdev", fmt.Sprintf("local,id=%s,path=%s,security_model=none,multidevs=remap,%s", tag, path, access),
		"-device", fmt.Sprintf("virtio-9p-pci,fsdev=%s,mount_tag=%s", tag, tag),
	}
}

// boot runs qemu and copies what the command says to vm.Out.
func (vm VM) boot(ctx context.Context, args []string) error {
	// Pdeathsig is about the thread that starts the child, so that thread stays.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	qemu := exec.CommandContext(ctx, "qemu-system-x86_64", args...)
	qemu.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	qemu.Stdout, qemu.Stderr = vm.Out, vm.Out
	if err := qemu.Run(); err != nil {
		return fmt.Errorf("run qemu: %w", err)
	}
	return nil
}

// nulTerminated is the form in which a shell can read any words back.
func nulTerminated(words []string) []byte {
	var b []byte
	for _, word := range words {
		b = append(append(b, word...), 0)
	}
	return b
}
