package main

import (
	"fmt"
	"os/exec"
	"syscall"
)

// makeLinks puts this thread, and what it starts, into a network namespace of
// its own, with the links that the virtual routers name. The namespace ends
// with the thread.
func makeLinks() error {
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make a network namespace for the links of virtual routers, which takes root: %w", err)
	}
	for i := 0; i < links; i += 2 {
		add := exec.Command("ip", "link", "add", linkName(i), "type", "veth", "peer", "name", linkName(i+1))
		if out, err := add.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", add, err, out)
		}
		for _, name := range []string{linkName(i), linkName(i + 1)} {
			up := exec.Command("ip", "link", "set", name, "up")
			if out, err := up.CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w\n%s", up, err, out)
			}
		}
	}
	return nil
}
