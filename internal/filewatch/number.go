package filewatch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"
	"syscall"
)

// Read is the number in a file; that of a file that is not there is 0.
func Read(path string) (int, error) {
	// Whoever wrote a name of a pipe must not make us wait for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is not a regular file", path)
	}
	const longest = 4096 // of the text that is looked at for a number
	text, err := io.ReadAll(io.LimitReader(f, longest))
	return Number(string(text)), err
}

// Number is what strtol(3) makes of a text with base 0: blanks, a sign, and
// digits, octal ones after 0, hexadecimal ones after 0x. What follows does not
// count, a text without a number is 0. A number that is too large is the
// largest one.
func Number(text string) int {
	text = strings.TrimLeft(text, " \t\n\v\f\r")
	negative := strings.HasPrefix(text, "-")
	if negative || strings.HasPrefix(text, "+") {
		text = text[1:]
	}
	base := 10
	switch {
	case len(text) > 2 && text[0] == '0' && text[1]|0x20 == 'x' && digit(text[2]) < 16:
		base, text = 16, text[2:]
	case strings.HasPrefix(text, "0"):
		base = 8
	}
	n := 0
	for i := 0; i < len(text) && digit(text[i]) < base; i++ {
		if n = n*base + digit(text[i]); n > math.MaxInt32 {
			n = math.MaxInt32
		}
	}
	if negative {
		return -n
	}
	return n
}

// digit is the value of a hexadecimal digit, or 16.
func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return 16
}
