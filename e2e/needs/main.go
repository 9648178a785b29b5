// Command needs installs, with apt, what the tests talk to and this machine
// lacks: Debian's keepalived above all, the oracle of the parser's tests and
// the peer of VRRP's. It says what it installs, and nothing otherwise.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/lvsd/lvsd/e2e/rig"
)

func main() {
	if err := rig.Install(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "needs:", err)
		os.Exit(1)
	}
}
