package supervisor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/account"
	"github.com/lvsd/lvsd/internal/kernel"
	"github.com/lvsd/lvsd/internal/rootpath"
)

// Machine answers what a check of a configuration asks this machine.
func Machine() config.Environment { return machine{sync.OnceValue(subnets)} }

// machine reads the list of addresses once: a configuration may name
// thousands.
type machine struct{ subnets func() []config.Subnet }

// subnets are none when they cannot be read: nothing is said about them then.
func subnets() []config.Subnet {
	all, err := kernel.Subnets()
	if err != nil {
		return nil
	}
	return all
}

func (m machine) Subnets() []config.Subnet { return m.subnets() }

func (m machine) OnLink(a config.Addr) bool { return kernel.OnLink(a) }

func (machine) HasInterface(name string) bool { return kernel.HasLink(name) }

func (machine) MTU(name string) int { return kernel.MTU(name) }

// HasUser takes names and numbers, which need not have a name; a group may
// have the colon that asks for the supplementary groups too.
func (machine) HasUser(u config.User) bool {
	group := strings.TrimPrefix(u.Group, ":")
	if _, err := account.User(u.Name); err != nil {
		return false
	}
	_, err := account.Group(group)
	return group == "" || err == nil
}

func (machine) Executable(name string) error {
	path := name
	if !strings.Contains(name, "/") {
		var err error
		if path, err = exec.LookPath(name); err != nil {
			return fmt.Errorf("there is no %s in the PATH, %s", name, os.Getenv("PATH"))
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("%s: %w", path, config.ErrNotExecutable)
	}
	return nil
}

// Unsafe looks at what a script of root leads to.
func (machine) Unsafe(name string, u config.User) error {
	switch owner, err := account.User(u.Name); {
	case u.Name == "" && os.Geteuid() != 0, u.Name != "" && (err != nil || owner.Uid != "0"):
		return nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return nil // that it is not there is another complaint
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	return rootpath.Check(path)
}

func (machine) HasDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (machine) HasNamespace(name string) bool {
	_, err := os.Stat(filepath.Join("/run/netns", filepath.Base(name)))
	return err == nil
}

func (machine) Links() []config.PresentLink { return kernel.PresentLinks() }

// running is a machine that tells the links of a configuration from others.
type running struct {
	config.Environment
	configured *config.Config // nil: none runs
}

func (s *Supervisor) environment() config.Environment {
	if env := s.machine(); env != nil {
		return running{env, s.config}
	}
	return nil
}

// Links implements [config.Environment].
func (r running) Links() []config.PresentLink {
	links := r.Environment.Links()
	if r.configured == nil {
		return links
	}
	named := make(map[string]bool)
	for i := range r.configured.Instances {
		instance := &r.configured.Instances[i]
		for _, l := range instance.Links {
			said := instance.VMAC != nil && instance.VMAC.Name == l.Name || instance.IPVLAN != nil && instance.IPVLAN.Name == l.Name
			named[l.Name] = named[l.Name] || said
		}
	}
	for i := range links {
		links[i].Named, links[i].Ours = named[links[i].Name]
	}
	return links
}

func (machine) PrivateMacvlan(name string) bool { return kernel.PrivateMacvlan(name) }

func (machine) Beneath(name string) string { return kernel.Beneath(name) }

// KeyFile reads a file of auth_hmac; keys are short.
func (machine) KeyFile(path string) (content []byte, private bool, err error) {
	const most = 4096
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe would make us wait
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, false, err
	}
	if !info.Mode().IsRegular() {
		return nil, false, fmt.Errorf("%s: %w", path, errNotRegular)
	}
	content, err = io.ReadAll(io.LimitReader(file, most))
	return content, info.Mode().Perm()&0o077 == 0, err
}

var errNotRegular = errors.New("not a regular file")
