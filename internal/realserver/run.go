package realserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/lvsd/lvsd/internal/kernel"
)

// StateFile is where it is noted what a start has changed, unless another file
// is named. It goes with the machine's own memory of it, at a reboot.
const StateFile = "/run/lvsd-real-server.json"

// Host is this host as a real server.
type Host struct {
	local *kernel.Local
	state string
}

// Open looks at the network namespace of the caller; state is the state file.
func Open(state string) (*Host, error) {
	local, err := kernel.OpenLocal()
	if err != nil {
		return nil, err
	}
	return &Host{local, state}, nil
}

// Close ends the use of a host, which stays as it is.
func (h *Host) Close() error { return h.local.Close() }

// Addresses are those of this host.
func (h *Host) Addresses() ([]netip.Addr, error) {
	links, err := h.local.Links()
	var all []netip.Addr
	for _, link := range links {
		for _, p := range link.Addresses {
			all = append(all, p.Addr())
		}
	}
	return all, err
}

// Start makes the host as wanted and returns what it took. What was changed
// until an error is noted all the same.
func (h *Host) Start(want Want) (steps []Step, err error) {
	saved, err := h.load()
	if err != nil {
		return nil, err
	}
	if err := h.provide(want); err != nil {
		return nil, err
	}
	have, err := h.look()
	if err != nil {
		return nil, err
	}
	steps, next := Start(have, want, saved)
	// Noted before: whatever becomes of the steps, a stop knows all of them, and
	// puts back only what is as they left it.
	if err := h.save(union(next, saved)); err != nil {
		return nil, err
	}
	if done, err := h.carryOut(steps); err != nil {
		return done, err
	}
	return steps, h.save(next)
}

// Stop puts back what was changed and returns what that took; nothing without
// a start.
func (h *Host) Stop() (steps []Step, err error) {
	saved, err := h.load()
	if err != nil || saved.Empty() {
		return nil, err
	}
	have, err := h.look()
	if err != nil {
		return nil, err
	}
	steps = Stop(have, saved)
	if done, err := h.carryOut(steps); err != nil {
		return done, err
	}
	return steps, h.save(Saved{})
}

// Check says what is wrong on the host.
func (h *Host) Check(want Want) ([]Finding, error) {
	have, err := h.look()
	if err != nil {
		return nil, err
	}
	return Check(have, want), nil
}

// union is what either has changed.
func union(a, b Saved) Saved {
	u := Saved{
		Settings: make(map[string]Change), Up: append(without(b.Up, a.Up), a.Up...),
		GUE: append(without(b.GUE, a.GUE), a.GUE...), Made: append(without(b.Made, a.Made), a.Made...), Addresses: append(without(b.Addresses, a.Addresses), a.Addresses...),
	}
	for _, from := range []Saved{b, a} {
		for name, c := range from.Settings {
			u.Settings[name] = c
		}
	}
	return u
}

// provide loads the kernel's modules of what is not there.
func (h *Host) provide(want Want) error {
	if len(want.GUE) > 0 {
		_ = exec.Command("modprobe", "fou").Run() // the step says whether it is there
	}
	for _, device := range want.Tunnels {
		module := modules[device]
		if module == "" || kernel.HasLink(device) {
			continue // one that is made brings its module
		}
		out, err := exec.Command("modprobe", module).CombinedOutput()
		if kernel.HasLink(device) {
			continue
		}
		if err != nil {
			return fmt.Errorf("there is no %s, and modprobe %s fails: %w %s", device, module, err, out)
		}
		return fmt.Errorf("there is no %s with the module %s: is net.core.fb_tunnels_only_for_init_net set?", device, module)
	}
	return nil
}

func (h *Host) look() (Have, error) {
	links, err := h.local.Links()
	if err != nil {
		return Have{}, err
	}
	have := Have{Links: make(map[string]Link, len(links)), Settings: make(map[string]string)}
	for _, p := range h.local.GUE() {
		have.GUE = append(have.GUE, Port(p))
	}
	names := []string{"all"}
	for name, link := range links {
		have.Links[name] = Link(link)
		names = append(names, name)
	}
	for _, link := range names {
		for _, name := range []string{"arp_ignore", "arp_announce", "rp_filter"} {
			have.Settings[link+"."+name] = h.local.Setting(link + "." + name)
		}
	}
	return have, nil
}

// carryOut stops at the first step that fails.
func (h *Host) carryOut(steps []Step) (done []Step, err error) {
	for i, s := range steps {
		if err := h.do(s); err != nil {
			return steps[:i], err
		}
	}
	return steps, nil
}

func (h *Host) do(s Step) error {
	switch {
	case s.Setting != "":
		return h.local.Set(s.Setting, s.Value)
	case s.Link != "":
		return h.local.SetUp(s.Link, !s.Undo)
	case s.GUE != Port{}:
		return h.local.ListenGUE(kernel.GUEPort(s.GUE), !s.Undo)
	case s.Device != Device{} && s.Undo:
		return h.local.DeleteLink(s.Device.Name)
	case s.Device.Kind == "ip6tnl":
		return h.local.AddIP6Tunnel(s.Device.Name, s.Device.Local)
	case s.Device != Device{}:
		return h.local.AddGRE(s.Device.Name, s.Device.Local)
	case s.Undo:
		return h.local.DeleteAddress(s.Address.Device, s.Address.Prefix)
	}
	return h.local.AddAddress(s.Address.Device, s.Address.Prefix)
}

func (h *Host) load() (saved Saved, err error) {
	text, err := os.ReadFile(h.state)
	if errors.Is(err, fs.ErrNotExist) {
		return Saved{}, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &saved)
	}
	if err != nil {
		return Saved{}, fmt.Errorf("what an earlier start has changed cannot be read, remove the file if it is not wanted: %s: %w", h.state, err)
	}
	return saved, nil
}

// save writes the state file, whole at once; it goes when there is nothing to
// put back.
func (h *Host) save(saved Saved) error {
	if saved.Empty() {
		if err := os.Remove(h.state); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := json.MarshalIndent(saved, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(h.state), filepath.Base(h.state)+".")
	if err != nil {
		return fmt.Errorf("note what is changed: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, os.Rename(f.Name(), h.state), f.Close()); err != nil {
		return fmt.Errorf("note what is changed: %w", err)
	}
	return nil
}
