package notify

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/account"
)

// credentials are the numbers behind USER [GROUP], nil for lvsd's own. The
// group is the user's when not given. Supplementary groups are dropped, unless
// all are asked for or GROUP begins with a colon: the user's own are kept then.
func credentials(u config.User, all bool) (*syscall.Credential, error) {
	if u.Name == "" {
		return nil, nil
	}
	owner, err := account.User(u.Name)
	if err != nil {
		return nil, fmt.Errorf("as user %s: %w", u.Name, err)
	}
	group, supplementary := strings.CutPrefix(u.Group, ":")
	gid := owner.Gid
	if group != "" {
		if gid, err = account.Group(group); err != nil {
			return nil, fmt.Errorf("as group %s: %w", group, err)
		}
	}
	var groups []string
	if supplementary || all {
		if groups, err = account.Groups(owner); err != nil {
			return nil, fmt.Errorf("groups of user %s: %w", u.Name, err)
		}
	}
	return numbers(owner.Uid, gid, groups)
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
	if own := os.Geteuid(); own != 0 && int(ids[0]) == own && int(ids[1]) == os.Getegid() {
		return nil, nil // a unit may forbid to become even that
	}
	// Only root may set groups; anyone may become what he is.
	return &syscall.Credential{Uid: ids[0], Gid: ids[1], Groups: ids[2:], NoSetGroups: os.Geteuid() != 0}, nil
}
