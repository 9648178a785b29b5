package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// kernelPackage is the metapackage whose dependency is the kernel that boots.
const kernelPackage = "linux-image-amd64"

// An image is what the virtual machine boots: a kernel with its modules, and
// a static busybox for the initramfs. Both come from Debian packages that are
// unpacked into the user's cache, never installed.
type image struct {
	kernel  string // vmlinuz
	modules string // lib/modules/VERSION
	busybox string
}

// fetchImage finds the image in the cache, or downloads it.
func fetchImage(ctx context.Context, out io.Writer) (image, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return image{}, fmt.Errorf("find a cache folder: %w", err)
	}
	cache = filepath.Join(cache, "lvsd")
	linux, err := unpacked(ctx, out, cache, "linux-image-[0-9]*", func() (string, error) { return kernelDependency(ctx) })
	if err != nil {
		return image{}, err
	}
	tools, err := unpacked(ctx, out, cache, "busybox-static", func() (string, error) { return "busybox-static", nil })
	if err != nil {
		return image{}, err
	}
	img := image{
		kernel:  first(filepath.Join(linux, "boot/vmlinuz-*")),
		modules: first(filepath.Join(linux, "lib/modules/*"), filepath.Join(linux, "usr/lib/modules/*")),
		busybox: first(filepath.Join(tools, "bin/busybox"), filepath.Join(tools, "usr/bin/busybox")),
	}
	if img.kernel == "" || img.modules == "" || img.busybox == "" {
		return image{}, fmt.Errorf("%s lacks a kernel, its modules or busybox: remove that folder and try again", cache)
	}
	img.kernel = uncompressed(ctx, img.kernel)
	return img, depmod(ctx, linux, img.modules)
}

// uncompressed is the kernel without its compression, which takes the virtual
// machine four seconds to undo at every boot; or kernel itself, when it is
// not compressed by xz.
func uncompressed(ctx context.Context, kernel string) string {
	file := kernel + ".elf"
	if first(file) != "" {
		return file
	}
	content, err := os.ReadFile(kernel)
	start := bytes.Index(content, []byte("\xfd7zXZ\x00"))
	if err != nil || start < 0 {
		return kernel
	}
	xz := exec.CommandContext(ctx, "xz", "--decompress", "--stdout", "--single-stream")
	xz.Stdin = bytes.NewReader(content[start:])
	elf, _ := xz.Output() // it complains about what follows the stream
	if !bytes.HasPrefix(elf, []byte("\x7fELF")) || os.WriteFile(file+".new", elf, 0o644) != nil || os.Rename(file+".new", file) != nil {
		return kernel
	}
	return file
}

// unpacked answers with the newest folder in cache that matches pattern; when
// there is none it downloads the package that pick names and unpacks it.
func unpacked(ctx context.Context, out io.Writer, cache, pattern string, pick func() (string, error)) (string, error) {
	if found, _ := filepath.Glob(filepath.Join(cache, pattern)); len(found) > 0 {
		return found[len(found)-1], nil
	}
	name, err := pick()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("make the cache: %w", err)
	}
	work, err := os.MkdirTemp(cache, ".download-")
	if err != nil {
		return "", fmt.Errorf("make the cache: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	fmt.Fprintf(out, "rig: downloading %s (unpacked into %s, not installed)\n", name, cache)
	if err := aptGet(ctx, work, "download", name); err != nil {
		return "", fmt.Errorf("download %s: %w", name, err)
	}
	tree := filepath.Join(work, "tree")
	unpack := exec.CommandContext(ctx, "dpkg", "-x", first(filepath.Join(work, "*.deb")), tree)
	if output, err := unpack.CombinedOutput(); err != nil {
		return "", fmt.Errorf("unpack %s: %w\n%s", name, err, output)
	}
	dir := filepath.Join(cache, name)
	if err := os.Rename(tree, dir); err != nil {
		return "", fmt.Errorf("keep %s: %w", name, err)
	}
	return dir, nil
}

// kernelDependency is the name of the package that kernelPackage stands for.
func kernelDependency(ctx context.Context) (string, error) {
	for _, prepare := range []func() error{
		func() error { return nil },
		func() error { return run(ctx, "", "apt-get", "update") },
	} {
		if err := prepare(); err != nil {
			return "", err
		}
		output, err := exec.CommandContext(ctx, "apt-cache", "depends", kernelPackage).Output()
		if err != nil && !errors.As(err, new(*exec.ExitError)) {
			return "", fmt.Errorf("find a kernel: %w (the virtual machine is made from Debian's packages)", err)
		}
		for line := range strings.Lines(string(output)) {
			if name, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: "); ok {
				return name, nil
			}
		}
	}
	return "", fmt.Errorf("apt knows no package %s: the virtual machine is made from Debian's kernel", kernelPackage)
}

// depmod indexes the modules, which the package does when it is installed.
func depmod(ctx context.Context, root, modules string) error {
	if first(filepath.Join(modules, "modules.dep.bin")) != "" {
		return nil
	}
	tool, err := lookPath("depmod")
	if err != nil {
		return fmt.Errorf("index the kernel's modules: %w", err)
	}
	c := exec.CommandContext(ctx, tool, "-b", root, filepath.Base(modules))
	if output, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("index the kernel's modules: %w\n%s", err, output)
	}
	return nil
}

// bootModules lead from the initramfs to the host's files.
var bootModules = []string{"virtio_pci", "9pnet_virtio", "9p", "overlay"}

// initramfs packs busybox, the boot modules and the init script.
func (img image) initramfs(ctx context.Context) ([]byte, error) {
	modprobe, err := lookPath("modprobe")
	if err != nil {
		return nil, fmt.Errorf("find the boot modules: %w", err)
	}
	root := strings.TrimSuffix(strings.TrimSuffix(filepath.Dir(img.modules), "lib/modules"), "usr/")
	var files []string
	for _, module := range bootModules {
		c := exec.CommandContext(ctx, modprobe, "-d", root, "-S", filepath.Base(img.modules), "--show-depends", module)
		output, err := c.Output()
		if err != nil {
			return nil, fmt.Errorf("find the modules of %s: %w", module, err)
		}
		for line := range strings.Lines(string(output)) {
			if file, ok := strings.CutPrefix(line, "insmod "); ok && !slices.Contains(files, strings.TrimSpace(file)) {
				files = append(files, strings.TrimSpace(file))
			}
		}
	}
	var a archive
	for _, dir := range []string{"bin", "modules", "proc", "sys", "dev", "lower", "upper", "new"} {
		a.add(dir, 0o040755, nil)
	}
	busybox, err := os.ReadFile(img.busybox)
	if err != nil {
		return nil, fmt.Errorf("pack busybox: %w", err)
	}
	a.add("bin/busybox", 0o100755, busybox)
	a.add("init", 0o100755, []byte(initScript))
	for i, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("pack a boot module: %w", err)
		}
		a.add(fmt.Sprintf("modules/%02d-%s", i, filepath.Base(file)), 0o100644, content)
	}
	return a.bytes(), nil
}

// An archive is a cpio archive in the "newc" format that the kernel unpacks,
// see its Documentation/driver-api/early-userspace/buffer-format.rst.
type archive struct {
	buf   bytes.Buffer
	inode int
}

func (a *archive) add(name string, mode int, content []byte) {
	a.inode++
	fmt.Fprintf(&a.buf, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0, name)
	a.pad()
	a.buf.Write(content)
	a.pad()
}

func (a *archive) pad() { a.buf.Write(make([]byte, -a.buf.Len()&3)) }

func (a *archive) bytes() []byte {
	a.add("TRAILER!!!", 0, nil)
	return a.buf.Bytes()
}

// first is the first file that one of the patterns matches, or "".
func first(patterns ...string) string {
	for _, pattern := range patterns {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0]
		}
	}
	return ""
}
