package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// A stage prints what happens. It is the demo's stand-in for a *testing.T: a
// rig.T whose Fatalf ends the goroutine.
type stage struct {
	steps, checks, failures int
	cleanups                []func()
}

// step announces what is going to happen.
func (s *stage) step(format string, args ...any) {
	s.steps++
	fmt.Printf("\n%d. %s\n", s.steps, fmt.Sprintf(format, args...))
}

// check says what was seen, and remembers whether it is what it should be.
func (s *stage) check(ok bool, format string, args ...any) {
	s.checks++
	verdict := "ok    "
	if !ok {
		s.failures++
		verdict = "WRONG "
	}
	fmt.Printf("   %s %s\n", verdict, fmt.Sprintf(format, args...))
}

// show prints a command's output.
func (s *stage) show(command, output string) {
	fmt.Printf("   %s\n", command)
	for line := range strings.Lines(output) {
		fmt.Printf("   | %s\n", strings.TrimRight(line, "\n"))
	}
}

// end cleans up and says whether all held.
func (s *stage) end() int {
	for _, cleanup := range slices.Backward(s.cleanups) {
		cleanup()
	}
	if s.failures > 0 || s.checks == 0 {
		fmt.Printf("\nFAILED: %d of %d things that lvsd should do did not hold.\n", s.failures, max(s.checks, s.failures))
		return 1
	}
	fmt.Printf("\nALL HELD: %d of %d things that lvsd should do, in %d steps.\n", s.checks, s.checks, s.steps)
	return 0
}

// Helper, Logf, Fatalf, Failed, Cleanup and TempDir make a stage a rig.T.
func (s *stage) Helper() {}

func (s *stage) Logf(format string, args ...any) { fmt.Printf("   "+format+"\n", args...) }

func (s *stage) Fatalf(format string, args ...any) {
	s.check(false, format, args...)
	runtime.Goexit()
}

func (s *stage) Failed() bool { return s.failures > 0 }

func (s *stage) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *stage) TempDir() string {
	dir, err := os.MkdirTemp("", "lvsd-demo-")
	if err != nil {
		s.Fatalf("make a folder: %v", err)
	}
	s.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
