package supervisor

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/lvsd/lvsd/config"
)

// Machine answers what a check of a configuration asks this machine.
func Machine() config.Environment { return &machine{interfaces: sync.OnceValue(interfaceNames)} }

// machine reads the list of interfaces once: a configuration may name
// thousands.
type machine struct{ interfaces func() map[string]int }

// interfaceNames are the names with their MTU.
func interfaceNames() map[string]int {
	links, err := net.Interfaces()
	if err != nil {
		return nil
	}
	names := make(map[string]int, len(links))
	for _, link := range links {
		names[link.Name] = link.MTU
	}
	return names
}

func (m *machine) HasInterface(name string) bool {
	_, ok := m.interfaces()[name]
	return ok
}

func (m *machine) MTU(name string) int { return m.interfaces()[name] }

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

// KeyFile reads a file of auth_hmac; keys are short.
func (m *machine) KeyFile(path string) (content []byte, private bool, err error) {
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
