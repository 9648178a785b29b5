package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// guest is the first argument of this program inside the virtual machine.
const guest = "lvs-guest"

// compareLVS compares what takes an IPVS kernel, in the virtual machine: from
// the start until the table is complete, reloads, memory, and TCP checks.
//
// Work costs ten to fifty times there what it costs natively, the same for
// both, so that the ratios say more than the figures. Processor time is the
// guest's own account of it.
func compareLVS(ctx context.Context, keepalived, lvsd string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	vm := rig.VM{
		Command: append([]string{self, guest, keepalived, lvsd}, os.Args[min(2, len(os.Args)):]...),
		Dir:     os.TempDir(),
		Warm:    []string{self, keepalived, lvsd, "cat", "genl", "ip", "ipvsadm", "modprobe", "sh"},
		Limit:   time.Hour,
		Out:     os.Stdout,
	}
	fmt.Println()
	status, err := vm.Run(ctx)
	if err == nil && status != 0 {
		err = fmt.Errorf("exit status %d", status)
	}
	if err != nil {
		return fmt.Errorf("compare in the virtual machine: %w", err)
	}
	return nil
}
