package syslog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Limits of the outputs.
const (
	// Buffer is how many lines wait for a destination.
	Buffer = 4096
	// FlushTime is what the outputs have to write what is buffered when Run
	// ends.
	FlushTime = time.Second
	// Retry is how long a destination that failed is left alone, at first. It
	// doubles up to LongestRetry: a machine without a syslog need not be asked
	// for it every second.
	Retry        = time.Second
	LongestRetry = 16 * time.Second
)

// Options says where the log goes.
type Options struct {
	Console  io.Writer   // keepalived's -l: os.Stderr; nil: no console
	Socket   string      // [Socket]; empty: no syslog, keepalived's -G
	Journal  bool        // systemd's journal, with fields
	File     string      // keepalived's -g: its log file, beside which the others are; empty: none
	Mode     fs.FileMode // of log files
	Format   Format      // of the console and of log files
	Facility Facility    // keepalived's -S
	Detail   bool        // also lines of debug level, keepalived's -D
	Extra    bool        // and those below, keepalived's -D given twice
}

// Socket is where a local syslog listens.
const Socket = "/dev/log"

// Output is the log's way out. Its logger can be used from the beginning;
// lines wait until [Output.Run] writes them.
type Output struct {
	level   zapcore.Level
	targets []*target
	suffix  atomic.Pointer[string]
}

// New makes the outputs, and touches none.
func New(o Options) *Output {
	out := &Output{level: zapcore.InfoLevel}
	out.SetSuffix("")
	if o.Detail {
		out.level = zapcore.DebugLevel
	}
	if o.Extra {
		out.level = zapcore.DebugLevel - 1
	}
	if o.Console != nil {
		out.add(&console{w: o.Console, format: o.Format})
	}
	if o.Socket != "" {
		out.add(&local{path: o.Socket, facility: o.Facility, pid: os.Getpid()})
	}
	if o.Journal {
		out.add(&native{send: journal.Send, facility: o.Facility})
	}
	if o.File != "" {
		out.add(&files{path: o.File, mode: o.Mode, format: o.Format})
	}
	return out
}

func (o *Output) add(w writer) {
	o.targets = append(o.targets, &target{writer: w, buffer: buffer{wake: make(chan struct{}, 1)}})
}

// SetSuffix appends something to all idents, and to the names of log files, from
// now on, such as the name of an instance.
func (o *Output) SetSuffix(suffix string) { o.suffix.Store(&suffix) }

// Logger is a logger that writes here. The first part of its name decides the
// ident: vrrp, healthcheckers (or checker) and bfd stand for those of
// keepalived's processes, anything else for its parent process.
func (o *Output) Logger() *zap.Logger { return zap.New(&core{out: o}) }

// Run writes lines until ctx ends, and then what is left of them, for at most
// [FlushTime]; so an ended ctx flushes. A destination that hangs then, say a
// stopped terminal, is left behind, and that is the error.
func (o *Output) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, t := range o.targets {
		wg.Go(func() { t.run(ctx, func(err error) { o.failed(t, err) }) })
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-done:
		return nil
	case <-time.After(FlushTime):
		return errors.New("log: a destination hangs, giving it up")
	}
}

// failed tells all other destinations that one of them does not work.
func (o *Output) failed(t *target, err error) {
	o.say(line{time: time.Now(), level: zapcore.WarnLevel, suffix: *o.suffix.Load(), message: fmt.Sprintf("log: the %s does not work: %v", t.writer, err)}, t)
}

// say gives a line to all destinations but one.
func (o *Output) say(l line, but *target) {
	for _, t := range o.targets {
		if t != but {
			t.push(l)
		}
	}
}

// line is a log line, not yet in the form of a destination.
type line struct {
	time    time.Time
	level   zapcore.Level
	name    string // of the logger
	suffix  string // of its ident
	message string // the sentence
	fields  []field
}

// buffer holds the newest lines.
type buffer struct {
	wake chan struct{}

	mu    sync.Mutex
	lines []line
	lost  int
}

func (b *buffer) push(l line) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lines) == Buffer {
		b.lines = append(b.lines[:0], b.lines[Buffer/8:]...)
		b.lost += Buffer / 8
	}
	b.lines = append(b.lines, l)
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take empties the buffer.
func (b *buffer) take() (lines []line, lost int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines, lost = b.lines, b.lost
	b.lines, b.lost = nil, 0
	return lines, lost
}

// putBack returns lines that could not be written, in front of newer ones.
func (b *buffer) putBack(lines []line, lost int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost += lost
	b.lines = append(lines, b.lines...)
	if over := len(b.lines) - Buffer; over > 0 {
		b.lines = append([]line(nil), b.lines[over:]...)
		b.lost += over
	}
}
