package parser

import (
	"math/rand/v2"
	"path"
	"strconv"
	"strings"
)

// predefined are the definitions that every configuration has.
func (s *source) predefined(l line, name string, args []string) (string, bool) {
	if !strings.HasPrefix(name, "_") || len(args) > 0 && name != "_RANDOM" && name != "_ENV" {
		return "", false
	}
	switch name {
	case "_PWD":
		return path.Dir(s.files.Abs(s.file(l.pos))), true
	case "_INSTANCE":
		return s.id, true
	case "_HASH": // a comment sign for the line that it comes to stand in
		return "#", true
	case "_BANG":
		return "!", true
	case "_ENV":
		if len(args) == 1 {
			return s.getenv(args[0]), true
		}
	case "_RANDOM":
		return s.roll(args)
	}
	return "", false
}

// roll is ${_RANDOM [MIN [MAX]]}.
func (s *source) roll(args []string) (string, bool) {
	bounds := [2]uint64{0, 32767}
	if len(args) > len(bounds) {
		return "", false
	}
	for i, word := range args {
		n, err := strconv.ParseUint(word, 10, 31)
		if err != nil {
			return "", false
		}
		bounds[i] = n
	}
	low, high := bounds[0], max(bounds[0], bounds[1])
	return strconv.FormatUint(low+s.random.Uint64N(high-low+1), 10), true
}

// newRandom is the source of ${_RANDOM}: of the same seed the same numbers, so
// that a reload without a change changes nothing.
func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }
