package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
)

// stage is the [rig.T] of the bench: its Fatalf ends the goroutine.
type stage struct {
	err error

	mu       sync.Mutex
	cleanups []func()
}

// onStage runs something that uses the rig, and cleans up behind it, also when
// it is interrupted.
func onStage(ctx context.Context, play func(*stage)) error {
	var s stage
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		play(&s)
	}()
	defer s.clean()
	select {
	case <-ended:
		return s.err
	case <-ctx.Done():
		return errors.New("interrupted")
	}
}

// clean does what [stage.Cleanup] was told, the last first.
func (s *stage) clean() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cleanup := range slices.Backward(s.cleanups) {
		cleanup()
	}
	s.cleanups = nil
}

// Helper is there for rig.T.
func (s *stage) Helper() {}

// Logf prints the log of a daemon when something went wrong.
func (s *stage) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// Fatalf ends the play.
func (s *stage) Fatalf(format string, args ...any) {
	s.err = fmt.Errorf(format, args...)
	runtime.Goexit()
}

// Failed says that Fatalf was called.
func (s *stage) Failed() bool { return s.err != nil }

// Cleanup does something at the end, the last first.
func (s *stage) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

// TempDir is a folder that goes away.
func (s *stage) TempDir() string {
	dir, err := os.MkdirTemp("", "lvsd-bench-")
	if err != nil {
		s.Fatalf("make a folder: %v", err)
	}
	s.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
