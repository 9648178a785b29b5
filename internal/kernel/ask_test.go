//go:build linux

package kernel

import "testing"

// TestHasLink: an alias is no link, though the kernel knows whose it is.
func TestHasLink(t *testing.T) {
	for name, want := range map[string]bool{"lo": true, "lo:1": false, "nonesuch": false, "": false} {
		if got := HasLink(name); got != want {
			t.Errorf("HasLink(%q) = %v", name, got)
		}
	}
	if MTU("lo") == 0 || MTU("lo:1") != 0 {
		t.Errorf("MTU of lo %d, of lo:1 %d", MTU("lo"), MTU("lo:1"))
	}
}
