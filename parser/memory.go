package parser

import (
	"slices"
	"strings"
)

// slab cuts small slices from large ones: a hundred thousand real servers with
// a check each cost a thousand allocations. A slab lives as long as one of its
// parts, which is as long as the configuration.
type slab[T any] struct{ free []T }

const slabSize = 256

// take is an empty slice with room for n; nil for none.
func (s *slab[T]) take(n int) []T {
	if n == 0 {
		return nil
	}
	if n > len(s.free) {
		s.free = slices.Grow([]T(nil), max(n, slabSize)) // with what the allocator rounds up to
		s.free = s.free[:cap(s.free)]
	}
	taken := s.free[:0:n]
	s.free = s.free[n:]
	return taken
}

// roomy is a list that has room for the block of this line, and when it is the
// first for all blocks of its kind that the files seem to have. Blocks of the
// top level are large, and a list that grows by and by leaves several times its
// size behind.
func roomy[T any](c *cursor, list []T) []T {
	if cap(list) > 0 {
		return doubled(list)
	}
	n := 0
	for _, text := range c.d.src.texts {
		n += strings.Count(text, c.keyword+" ")
	}
	return slices.Grow(list, max(1, min(n, maxRoom)))
}

// maxRoom bounds what lines that only look like blocks can reserve.
const maxRoom = 1 << 16

// doubled has room for one more. It grows by its own size: append grows large
// slices by a quarter, and leaves four times as much behind.
func doubled[T any](list []T) []T {
	if len(list) == cap(list) {
		list = slices.Grow(list, max(len(list), 16))
	}
	return list
}
