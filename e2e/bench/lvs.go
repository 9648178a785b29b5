package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// guest is the first argument of this program inside the virtual machine.
const guest = "lvs-guest"

// scale is how many services there are and with how many real servers each.
type scale struct{ n, m int }

func (s scale) String() string { return fmt.Sprintf("%dx%d", s.n, s.m) }

// works are what is done unless something else is asked for: the sizes, and the
// checks.
func works() (all []string) {
	for _, s := range scales {
		all = append(all, s.String())
	}
	return append(all, singleChecks)
}

// sized is the size that a work is.
func sized(work string) (s scale, err error) {
	if _, err := fmt.Sscanf(work, "%dx%d", &s.n, &s.m); err != nil || s.String() != work {
		return s, fmt.Errorf("%q is no size such as %q, and not %q", work, scales[0], singleChecks)
	}
	return s, nil
}

var scales = []scale{{100, 4}, {1000, 10}, {5000, 10}, {20000, 1}, {1, 10000}}

// singleChecks is the work that is no size.
const singleChecks = "checks"

// workLimit is what one work may take of real time. The longest ones take five
// minutes on an idle machine; a machine that hangs does not keep the others back.
const workLimit = 25 * time.Minute

// compareLVS compares what takes an IPVS kernel, in the virtual machine: from
// the start until the table is complete, reloads, the end, memory, and TCP checks.
// Each size has a machine to itself.
//
// Work costs ten to fifty times there what it costs natively, the same for
// both, so that the ratios say more than the figures. Processor time is the
// guest's own account of it.
func compareLVS(ctx context.Context, keepalived, lvsd string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	chosen := os.Args[min(2, len(os.Args)):]
	for _, name := range chosen {
		if _, err := sized(name); err != nil && name != singleChecks {
			return err
		}
	}
	if len(chosen) == 0 {
		chosen = works()
	}
	fmt.Printf("\n%-44s  %21s   %21s   %13s\n", "", "keepalived", "lvsd", "lvsd / keepalived")
	fmt.Printf("%-44s  %10s %10s   %10s %10s   %6s %6s\n", "LVS, in the virtual machine", "wall ms", "cpu ms", "wall ms", "cpu ms", "wall", "cpu")
	var failed error
	for _, name := range chosen {
		vm := rig.VM{
			Command: []string{self, guest, keepalived, lvsd, name},
			Dir:     os.TempDir(),
			Warm:    []string{self, keepalived, lvsd, "cat", "genl", "ip", "ipvsadm", "modprobe", "sh"},
			Limit:   workLimit,
			Out:     os.Stdout,
		}
		status, err := vm.Run(ctx)
		if err == nil && status != 0 {
			err = fmt.Errorf("exit status %d", status)
		}
		if err != nil {
			err = fmt.Errorf("compare %s in the virtual machine: %w", name, err)
			fmt.Println("bench:", err) // the others go on
			failed = errors.Join(failed, err)
		}
		if ctx.Err() != nil {
			return cmp.Or(failed, ctx.Err())
		}
	}
	return failed
}
