package supervisor

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/kernel"
)

// Machine answers what a check of a configuration asks this machine.
func Machine() config.Environment { return machine{} }

type machine struct{}

func (machine) HasInterface(name string) bool { return kernel.HasLink(name) }

// HasUser takes names and numbers; a group may have the colon that asks for
// the supplementary groups too.
func (machine) HasUser(u config.User) bool {
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

func (machine) Executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("%s: %w", path, errNotExecutable)
	}
	return nil
}

func (machine) HasDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (machine) HasNamespace(name string) bool {
	_, err := os.Stat(filepath.Join("/run/netns", filepath.Base(name)))
	return err == nil
}

func (machine) PrivateMacvlan(name string) bool { return kernel.PrivateMacvlan(name) }
