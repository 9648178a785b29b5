package parser

import "strings"

// Conceal is a line as diagnostics and plans show it: asterisks stand for the value of
// a keyword that is a secret, or looks as if it was meant for one. Columns stay.
// keepalived's sentences are logged, and logs are read by many.
func Conceal(line string) string {
	word := firstWord(trimLeft(line))
	from := len(line) - len(trimLeft(line)) + len(word)
	switch name := strings.Trim(word, `"`); {
	case name == "key": // of auth_hmac: its number comes first
		number := firstWord(trimLeft(line[from:]))
		from = len(line) - len(trimLeft(line[from:])) + len(number)
	case !strings.Contains(name, "pas"): // auth_pass, password
		return line
	}
	hidden := []byte(line)
	for i := from; i < len(hidden); i++ {
		if !strings.ContainsRune(" \t\"'", rune(hidden[i])) {
			hidden[i] = '*'
		}
	}
	return string(hidden)
}
