package lvs

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/e2e/rig"
)

// Package ipvs against the kernel: what is written is what is read, for every
// scheduler, family and method. On the host that test sees the error only.
func TestKernel(t *testing.T) {
	out, err := exec.Command(rig.KernelTest(), "-test.run=^TestNetlink$", "-test.v").CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(out); !strings.Contains(text, "--- PASS: TestNetlink") || strings.Contains(text, "ONLY THE ERROR") {
		t.Error("the kernel was not tested")
	}
}
