package config

import (
	"fmt"
	"strconv"
	"strings"
)

// modeBits are the names of permissions, stat(2).
var modeBits = map[string]uint16{
	"IRUSR": 0o400, "IWUSR": 0o200, "IXUSR": 0o100, "IRGRP": 0o40, "IWGRP": 0o20, "IXGRP": 0o10, "IROTH": 4, "IWOTH": 2, "IXOTH": 1,
	"IRWXU": 0o700, "IRWXG": 0o70, "IRWXO": 7,
}

// ParseUmask reads a umask(2): a number as C writes it, or names of stat(2)
// with | or blanks between them.
func ParseUmask(text string) (uint16, error) {
	if text != "" && text[0] >= '0' && text[0] <= '9' {
		n, err := strconv.ParseUint(text, 0, 16)
		if err != nil || n > 0o777 {
			return 0, fmt.Errorf("invalid umask value %s", text)
		}
		return uint16(n), nil
	}
	var mask uint16
	for name := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '|' || r == ' ' || r == '\t' }) {
		bit, ok := modeBits[name]
		if !ok {
			return 0, fmt.Errorf("Unknown umask bit %s", name) //nolint:staticcheck // keepalived's sentence
		}
		mask |= bit
	}
	return mask, nil
}
