package notify

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"github.com/lvsd/lvsd/config"
)

// credentials are the numbers behind USER [GROUP], nil for lvsd's own. The
// group is the user's when not given. Supplementary groups are dropped, except
// for a GROUP that begins with a colon: the user's own are kept then.
func credentials(u config.User) (*syscall.Credential, error) {
	if u.Name == "" {
		return nil, nil
	}
	account, err := lookupUser(u.Name)
	if err != nil {
		return nil, fmt.Errorf("as user %s: %w", u.Name, err)
	}
	group, supplementary := strings.CutPrefix(u.Group, ":")
	gid := account.Gid
	if group != "" {
		if gid, err = lookupGroup(group); err != nil {
			return nil, fmt.Errorf("as group %s: %w", group, err)
		}
	}
	var groups []string
	if supplementary {
		if groups, err = account.GroupIds(); err != nil {
			return nil, fmt.Errorf("groups of user %s: %w", u.Name, err)
		}
	}
	return numbers(account.Uid, gid, groups)
}

func lookupUser(name string) (*user.User, error) {
	if _, err := strconv.ParseUint(name, 10, 32); err == nil {
		return user.LookupId(name)
	}
	return user.Lookup(name)
}

func lookupGroup(name string) (gid string, err error) {
	if _, err := strconv.ParseUint(name, 10, 32); err == nil {
		return name, nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}

func numbers(uid, gid string, groups []string) (*syscall.Credential, error) {
	ids := make([]uint32, 0, 2+len(groups))
	for _, s := range append([]string{uid, gid}, groups...) {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user or group number %q: %w", s, err)
		}
		ids = append(ids, uint32(n))
	}
	// Only root may set groups; anyone may become what he is.
	return &syscall.Credential{Uid: ids[0], Gid: ids[1], Groups: ids[2:], NoSetGroups: os.Geteuid() != 0}, nil
}
