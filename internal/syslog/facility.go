package syslog

import (
	"fmt"
	"strconv"
	"strings"
)

// Facility is a syslog facility; the zero value is daemon.
type Facility uint8

// Facilities, each its number of RFC 5424 section 6.2.1 plus one, so that zero
// is free for the default.
const (
	User   Facility = 1 + 1
	Daemon Facility = 1 + 3
	Local0 Facility = 1 + 16
)

func (f Facility) code() uint8 {
	if f == 0 {
		f = Daemon
	}
	return uint8(f) - 1
}

// ParseFacility reads the argument of keepalived's -S: 0 to 7, local0 to
// local7, user or daemon.
func ParseFacility(s string) (Facility, error) {
	switch s {
	case "user":
		return User, nil
	case "daemon":
		return Daemon, nil
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "local"), 10, 8)
	if err != nil || n > 7 {
		return 0, fmt.Errorf("invalid log facility %q", s)
	}
	return Local0 + Facility(n), nil
}
