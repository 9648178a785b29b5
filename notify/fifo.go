package notify

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// fifo is a named pipe that state changes are written to.
//
// It is open for reading too: opening does not wait for a reader, and lines
// that nobody has read yet stay in the pipe while readers come and go.
type fifo struct {
	log *zap.Logger
	cfg config.FIFO

	mu      sync.Mutex
	fd      int    // -1: not open
	created bool   // and to be removed
	lost    uint64 // lines that nobody will see
	pending []line // states that wait for the reader to make room, one for each object
}

// line is what is written at once.
type line struct {
	object Object
	text   string
}

var errNotFIFO = errors.New("it is not a named pipe of ours")

func newFIFO(log *zap.Logger, cfg config.FIFO) *fifo {
	return &fifo{log: log.With(zap.String("fifo", cfg.Path)), cfg: cfg, fd: -1}
}

// openFIFO opens the pipe, and makes it when it is not there: readable for its
// owner alone, since whoever reads a line takes it away from the others.
func openFIFO(log *zap.Logger, cfg config.FIFO) (*fifo, error) {
	f := newFIFO(log, cfg)
	uid, gid := os.Geteuid(), os.Getegid()
	owner, err := credentials(cfg.User, false)
	if err != nil {
		return nil, err
	}
	if owner != nil {
		uid, gid = int(owner.Uid), int(owner.Gid)
	}
	const mode = 0o600
	switch err := unix.Mkfifo(cfg.Path, mode); {
	case err == nil:
		f.created = true
		if err := os.Lchown(cfg.Path, uid, gid); err != nil {
			f.close()
			return nil, fmt.Errorf("owner of %s: %w", cfg.Path, err)
		}
	case !errors.Is(err, unix.EEXIST):
		return nil, fmt.Errorf("make %s: %w", cfg.Path, err)
	}
	if f.fd, err = unix.Open(cfg.Path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0); err != nil {
		f.fd = -1
		f.close()
		return nil, fmt.Errorf("open %s: %w", cfg.Path, err)
	}
	var info unix.Stat_t
	err = unix.Fstat(f.fd, &info)
	if err == nil && (info.Mode&unix.S_IFMT != unix.S_IFIFO || int(info.Uid) != uid && int(info.Uid) != os.Geteuid()) {
		err = errNotFIFO
	}
	if err != nil {
		f.close()
		return nil, fmt.Errorf("open %s: %w", cfg.Path, err)
	}
	return f, nil
}

// write never waits: what does not fit into the pipe is lost, like with
// keepalived, but for the last state of each object. That is told as soon as
// there is room. Lines that are no states are told or forgotten. It reports
// whether something waits.
func (f *fifo) write(l line, state bool) (waits bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fd < 0 || f.flush() && f.put(l.text) {
		return false
	}
	before := slices.IndexFunc(f.pending, func(p line) bool { return p.object == l.object })
	if f.lost++; f.lost == 1 {
		f.log.Warn("nobody reads fast enough, lines are lost")
	}
	switch {
	case state && before >= 0:
		f.pending[before] = l
	case state:
		f.pending = append(f.pending, l)
	}
	return len(f.pending) > 0
}

// flush writes what waits and reports whether nothing does any more.
func (f *fifo) flush() bool {
	for len(f.pending) > 0 && f.put(f.pending[0].text) {
		f.pending = f.pending[1:]
	}
	return len(f.pending) == 0
}

// put writes a line, all of it or nothing: it is shorter than PIPE_BUF.
func (f *fifo) put(text string) bool {
	_, err := unix.Write(f.fd, []byte(text))
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		f.log.Warn("cannot write", zap.Error(err))
	}
	return err == nil
}

// again tries what waits once more, and reports whether something still does.
func (f *fifo) again() (waits bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fd < 0 || len(f.pending) == 0 {
		return false
	}
	if !f.flush() {
		return true
	}
	f.log.Info("lines that were not lost", zap.Uint64("lost", f.lost))
	f.lost = 0
	return false
}

// unread says that there are lines that nobody has read.
func (f *fifo) unread() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fd < 0 {
		return false
	}
	f.flush()
	n, err := unix.IoctlGetInt(f.fd, unix.TIOCINQ)
	return err == nil && n > 0
}

// close ends the pipe. One that was there before stays.
func (f *fifo) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fd >= 0 {
		_ = unix.Close(f.fd) // everything is in the pipe
	}
	f.fd = -1
	if f.created {
		_ = os.Remove(f.cfg.Path) // somebody else may have been faster
	}
	f.created = false
}
