package realserver

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/netns"
)

// insideVar marks the process that runs in a network namespace of its own.
const insideVar = "LVSD_REALSERVER_INSIDE"

func inside(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideVar) != "" {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: it needs root and a network namespace; `make test` runs it")
	}
	a, b := netns.New(t, "real"), netns.New(t, "peer")
	netns.Veth(t, a, "veth.0", b, "veth1") // a name with a dot, as VLANs have
	a.Run(t, "ip addr add 10.9.0.1/24 dev veth.0")
	cmd := a.Command(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), insideVar+"=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	return false
}

// The shell against the kernel: addresses and settings, noted and put back; a
// start that fails in the middle puts back what it has done.
func TestHost(t *testing.T) {
	if !inside(t) {
		return
	}
	state := filepath.Join(t.TempDir(), "state.json")
	h, err := Open(state)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	look := func() Have {
		t.Helper()
		have, err := h.look()
		if err != nil {
			t.Fatal(err)
		}
		return have
	}
	before := look()
	if here, err := h.Addresses(); err != nil || !slices.Contains(here, netip.MustParseAddr("10.9.0.1")) {
		t.Errorf("%v, %v", here, err)
	}
	if have := before; have.Settings["veth.0.arp_ignore"] != "0" || !have.Links["veth.0"].Up {
		t.Errorf("it does not see veth.0: %+v", have)
	}
	want := wanted(config.DR, config.Tunnel{}, "10.9.0.100", "2001:db8::100")
	if found, err := h.Check(want); err != nil || len(found) != 4 {
		t.Errorf("before: %v, %v", found, err)
	}
	if steps, err := h.Start(want); err != nil || len(steps) != 6 {
		t.Errorf("start: %v, %v", steps, err)
	}
	if steps, err := h.Start(want); err != nil || len(steps) > 0 {
		t.Errorf("once more: %v, %v", steps, err)
	}
	if found, err := h.Check(want); err != nil || len(found) > 0 {
		t.Errorf("after: %v, %v", found, err)
	}
	have := look()
	for _, vip := range want.sorted() {
		if !have.has("lo", host(vip)) {
			t.Errorf("%s is not there: %v", vip, have.Links["lo"])
		}
	}
	again, err := Open(state) // another process
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	if steps, err := again.Stop(); err != nil || len(steps) != 6 {
		t.Errorf("stop: %v, %v", steps, err)
	}
	same := func() {
		t.Helper()
		after := look()
		if len(Stop(after, Saved{})) > 0 || len(after.Links["lo"].Addresses) != len(before.Links["lo"].Addresses) {
			t.Errorf("before %+v, after %+v", before, after)
		}
		for name, value := range before.Settings {
			if after.Settings[name] != value {
				t.Errorf("%s was %s and is %s", name, value, after.Settings[name])
			}
		}
		if _, err := os.Stat(state); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the state file is left: %v", err)
		}
	}
	same()
	if steps, err := h.Stop(); err != nil || len(steps) > 0 {
		t.Errorf("nothing to stop: %v, %v", steps, err)
	}

	want.VIPs[netip.MustParseAddr("10.9.0.101")] = "nowhere"
	if steps, err := h.Start(want); err == nil || len(steps) != 5 || !strings.Contains(err.Error(), "add 10.9.0.101/32 to nowhere") {
		t.Errorf("a device that is not there: %v, %v", steps, err)
	}
	if _, err := h.Stop(); err != nil {
		t.Error(err)
	}
	same()

	if err := os.WriteFile(state, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Start(want); err == nil || !strings.Contains(err.Error(), "remove the file if it is not wanted: "+state) {
		t.Errorf("a broken state file: %v", err)
	}
}
