package supervisor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/kernel"
)

// Machine answers what a check of a configuration asks this machine.
func Machine() config.Environment {
	return &machine{interfaces: sync.OnceValue(interfaceNames), subnets: sync.OnceValue(subnets)}
}

// machine reads the lists of interfaces and addresses once: a configuration may
// name thousands.
type machine struct {
	interfaces func() map[string]bool
	subnets    func() []config.Subnet
}

// subnets are none when they cannot be read: nothing is said about them then.
func subnets() []config.Subnet {
	all, err := kernel.Subnets()
	if err != nil {
		return nil
	}
	return all
}

func (m *machine) Subnets() []config.Subnet { return m.subnets() }

func (m *machine) OnLink(a config.Addr) bool { return kernel.OnLink(a) }

func interfaceNames() map[string]bool {
	links, err := net.Interfaces()
	if err != nil {
		return nil
	}
	names := make(map[string]bool, len(links))
	for _, link := range links {
		names[link.Name] = true
	}
	return names
}

func (m *machine) HasInterface(name string) bool { return m.interfaces()[name] }

// HasUser takes names and numbers; a group may have the colon that asks for
// the supplementary groups too.
func (m *machine) HasUser(u config.User) bool {
	group := strings.TrimPrefix(u.Group, ":")
	return exists(u.Name, user.Lookup) && (group == "" || exists(group, user.LookupGroup))
}

func exists[T any](name string, lookup func(string) (T, error)) bool {
	if _, err := strconv.ParseUint(name, 10, 32); err == nil {
		return true
	}
	_, err := lookup(name)
	return err == nil
}

var errNotExecutable = errors.New("not an executable file")

func (m *machine) Executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("%s: %w", path, errNotExecutable)
	}
	return nil
}
