package parser

import (
	"testing"
)

// A part of a slab that grows beyond its room leaves its neighbour alone.
func TestSlab(t *testing.T) {
	var s slab[int]
	if s.take(0) != nil {
		t.Error("room for none is not nil")
	}
	a, b := s.take(2), s.take(2*slabSize)
	c := s.take(1)
	a, b, c = append(a, 1, 2), append(b, 3), append(c, 4)
	a = append(a, 5)
	if b[0] != 3 || c[0] != 4 || a[2] != 5 || cap(b) < 2*slabSize {
		t.Errorf("a %v, b %v of %d, c %v", a, b, cap(b), c)
	}
}

// TestRoom: lists of large blocks do not grow by and by, and what only looks
// like a block reserves little.
func TestRoom(t *testing.T) {
	load := func(text string) int {
		c, _, err := Load(Options{File: "main", Files: Memory{"main": text}})
		if err != nil {
			t.Fatal(err)
		}
		return cap(c.Services)
	}
	if n := load(manyServices(100)); n < 100 || n > 120 {
		t.Errorf("room for %d of 100 services", n)
	}
	lines := make([]byte, 0, 2*maxRoom*len("virtual_server \n"))
	for range 2 * maxRoom {
		lines = append(lines, "virtual_server \n"...)
	}
	if n := load(string(lines)); n > maxRoom+maxRoom/8 {
		t.Errorf("room for %d services, more than %d", n, maxRoom)
	}
}

// TestAllocations: real servers and their checks are cut from slabs, their
// lines are parts of the file. So a hundred services more, of ten servers each,
// take few allocations more, and the same number each time.
func TestAllocations(t *testing.T) {
	allocations := func(n int) float64 {
		text := manyServices(n)
		return testing.AllocsPerRun(3, func() {
			if _, problems, err := Load(Options{File: "main", Files: Memory{"main": text}}); err != nil || len(problems) > 0 {
				t.Fatal(err, problems)
			}
		})
	}
	if per := (allocations(300) - allocations(200)) / 100; per > 3 {
		t.Errorf("%.1f allocations for a service of ten servers", per)
	}
}
