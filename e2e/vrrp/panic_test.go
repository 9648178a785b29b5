package vrrp

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// TestPanickingChecks: two hundred checks a second that panic, each with its
// stack in the log, delay no advert, and neither reloads nor the end.
func TestPanickingChecks(t *testing.T) { // not in parallel: it measures time
	const fault = "this check has a fault"
	i := instance{priority: 100, version: 3, advert: "0.1"}
	services := "virtual_server 10.9.0.100 80 {\n\tdelay_loop 0.1\n\tlvs_sched rr\n\tlvs_method DR\n\tprotocol TCP\n"
	for n := range 20 {
		services += fmt.Sprintf("\treal_server 127.0.0.%d 1 {\n\t\tTCP_CHECK {\n\t\t}\n\t}\n", n+1)
	}
	services += "}\n"
	r := newSegment(t).router(1)
	r.configure(i, services)
	r.Daemon = r.Start(withFault(t))
	r.owns(true, i.down()+patience)
	r.Wait(0, fault, patience)
	began := r.nextAdvert(time.Now(), i.priority, patience).At
	for n := range 4 {
		mark := r.Mark()
		i.priority = 100 + n%2
		r.configure(i, services)
		r.Signal(syscall.SIGHUP)
		r.Wait(mark, reloaded, patience)
		time.Sleep(3 * i.interval())
	}
	r.punctual(began, i.interval())
	if panics := strings.Count(r.Log(), fault); panics < 100 {
		t.Errorf("%d panics in all", panics)
	}
	r.Signal(syscall.SIGTERM)
	r.owns(false, busy)
	r.exits(patience)
}

// withFault builds a daemon whose TCP_CHECK panics.
func withFault(t *testing.T) (program string) {
	t.Helper()
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program = filepath.Join(dir, "lvsd")
	const faulty = "e2e/vrrp/testdata/panic/"
	replace := map[string]map[string]string{"Replace": {
		filepath.Join(root, "checker/tcp.go"): filepath.Join(root, faulty+"checker/tcp.go"),
	}}
	text, err := json.Marshal(replace)
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-overlay", overlay, "-o", program, "./"+faulty+"lvsd")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as the daemon of the other tests
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return program
}
