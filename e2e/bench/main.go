// Command bench runs keepalived and lvsd on the same work in one run and prints
// the figures of both with their ratio.
//
// VRRP: pairs of routers in network namespaces of their own. A MASTER is killed
// or stopped again and again, and the first advert of its BACKUP timed by the kernel;
// processor time, memory and cadence of many instances are compared, and how
// late adverts are while a MASTER reloads; and failovers counted that nothing but
// a busy machine has caused.
//
// Checks of real servers: processor time of one that succeeds, of each kind;
// adverts beside 50,000 of them; servers that are hostile.
//
// LVS, in a virtual machine with an IPVS kernel: start and reloads of thousands
// of real servers, memory, and processor time of a check.
//
// The parser: whole processes, in turn: wall and processor time and peak memory
// as the kernel accounts them to a finished child. The processor time of a line,
// start-up left aside, tells whether it grows with the file alone.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	work := run
	switch args := os.Args[1:]; {
	case len(args) == 4 && args[0] == guest:
		work = func(context.Context) error { return runGuest(args[1], args[2], args[3]) }
	case len(args) == 1 && args[0] == answering:
		work = answer
	case len(args) == 2 && args[0] == checking:
		work = func(ctx context.Context) error { return check(ctx, args[1]) }
	}
	err := work(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// program is one of the two that are compared.
type program struct {
	path string
	// lineCost is what a line cost at each size of the same kind of file
	lineCost []float64
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "lvsd-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	lvsd := program{path: filepath.Join(dir, "lvsd")}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", lvsd.path, "./cmd/lvsd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as `make build` does
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build lvsd: %w\n%s", err, out)
	}
	path, err := findKeepalived()
	if err != nil {
		return err
	}
	ran := false
	for _, part := range parts {
		if len(os.Args) > 1 && part.name != os.Args[1] {
			continue
		}
		ran = true
		if err := part.compare(ctx, path, lvsd.path); err != nil {
			return err
		}
	}
	if !ran {
		return fmt.Errorf("there is no part %q", os.Args[1])
	}
	return nil
}

// parts are all comparisons. The first argument of the command chooses one; what
// follows it is for [compareLVS], sizes or "checks", for [compareHostile], checks, and
// for [compareFailovers], an advert_int and how many.
var parts = []struct {
	name    string
	compare func(ctx context.Context, keepalived, lvsd string) error
}{{"failover", compareFailovers}, {"cost", compareCosts}, {"busy", compareBusy}, {"reload", compareReloads}, {"checks", compareKinds}, {"many", compareMany}, {"hostile", compareHostile}, {"lvs", compareLVS}, {"parser", compareParsers}}

func compareParsers(ctx context.Context, keepalived, lvsd string) error {
	dir, err := os.MkdirTemp("", "lvsd-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Println()
	runtime.LockOSThread() // what it starts is in its namespace
	if err := makeLinks(); err != nil {
		return err
	}
	return testAll(ctx, dir, &program{path: keepalived}, &program{path: lvsd})
}

// findKeepalived is what is compared with: KEEPALIVED, or the one that is
// installed.
func findKeepalived() (string, error) {
	path, err := exec.LookPath(cmp.Or(os.Getenv("KEEPALIVED"), "keepalived"))
	if err != nil {
		return "", fmt.Errorf("there is nothing to compare with: %w (apt-get install keepalived)", err)
	}
	return path, nil
}

// testAll compares -t at every size of every kind of file.
func testAll(ctx context.Context, dir string, keepalived, lvsd *program) error {
	printHead()
	startK, startL, err := test(ctx, filepath.Join(dir, "empty.conf"), "start: empty file", services(0, 0), keepalived, lvsd)
	if err != nil {
		return err
	}
	for _, kind := range kinds() {
		keepalived.lineCost, lvsd.lineCost = nil, nil
		for _, size := range kind.sizes {
			fk, fl, err := test(ctx, filepath.Join(dir, "bench.conf"), size.name, size.write, keepalived, lvsd)
			if err != nil {
				return err
			}
			keepalived.lineCost = append(keepalived.lineCost, fk.lineCost(startK))
			lvsd.lineCost = append(lvsd.lineCost, fl.lineCost(startL))
		}
		fmt.Printf("    processor time of a line, from the smallest file to the largest: keepalived %s, lvsd %s\n", growth(keepalived.lineCost), growth(lvsd.lineCost))
	}
	return nil
}

// test compares -t of one file and prints the row.
func test(ctx context.Context, file, name string, write writer, keepalived, lvsd *program) (fk, fl figures, err error) {
	lines, err := writeFile(file, write)
	if err != nil {
		return fk, fl, err
	}
	fk, fl, err = compare(ctx, keepalived.path, lvsd.path, "-t", "-f", file)
	if err != nil {
		return fk, fl, err
	}
	fk.lines, fl.lines = lines, lines
	printRow(name, fk, fl)
	return fk, fl, nil
}
