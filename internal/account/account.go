// Package account looks up users and groups: in /etc/passwd and /etc/group,
// and, for those that only the name service knows (LDAP, SSSD), with getent(1).
// lvsd is a static program, which has no NSS of its own.
package account

import (
	"context"
	"fmt"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"time"
)

// patience is how long a name service may take to answer.
const patience = 5 * time.Second

// User is the account of a name or number. A number need not have one: its
// group has the same number then, and it has no name.
func User(name string) (*user.User, error) {
	lookup := user.Lookup
	if number(name) {
		lookup = user.LookupId
	}
	u, err := lookup(name)
	if err == nil {
		return u, nil
	}
	fields, ok := getent("passwd", name)
	const columns = 7 // passwd(5)
	switch {
	case ok && len(fields) >= columns:
	case number(name):
		return &user.User{Uid: name, Gid: name}, nil
	default:
		return nil, err
	}
	return &user.User{Username: fields[0], Uid: fields[2], Gid: fields[3], Name: fields[4], HomeDir: fields[5]}, nil
}

// Group is the number of a group; one that is a number need not exist.
func Group(name string) (gid string, err error) {
	if number(name) {
		return name, nil
	}
	g, err := user.LookupGroup(name)
	if err == nil {
		return g.Gid, nil
	}
	fields, ok := getent("group", name)
	const columns = 3 // group(5), without the members
	if !ok || len(fields) < columns {
		return "", err
	}
	return fields[2], nil
}

// Groups are the numbers of all groups of an account.
func Groups(u *user.User) ([]string, error) {
	if u.Username == "" {
		return []string{u.Gid}, nil
	}
	fields, ok := getentLine("initgroups", u.Username)
	if !ok {
		return u.GroupIds()
	}
	gids := append([]string{u.Gid}, strings.Fields(fields)[1:]...)
	for _, gid := range gids {
		if !number(gid) {
			return nil, fmt.Errorf("groups of %s: %q is no number", u.Username, gid)
		}
	}
	return gids, nil
}

func number(name string) bool {
	_, err := strconv.ParseUint(name, 10, 32)
	return err == nil
}

// getent asks the name service of the machine for the line of a key.
func getent(database, key string) (fields []string, ok bool) {
	line, ok := getentLine(database, key)
	return strings.Split(line, ":"), ok
}

func getentLine(database, key string) (line string, ok bool) {
	if key == "" || strings.HasPrefix(key, "-") {
		return "", false
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "getent", database, key).Output()
	line, _, _ = strings.Cut(string(out), "\n")
	return line, err == nil && line != ""
}
