package supervisor

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// A file that is being written has so long to be complete, and is looked at so
// often.
const (
	writeTime = time.Second
	lookTime  = 20 * time.Millisecond
)

// settled loads a file that nobody writes to meanwhile. Cut off between two
// blocks, a file that is only half written looks as good as any. One that
// somebody keeps open for longer is taken as it is.
func (s *Supervisor) settled(file string) (*config.Config, []config.Problem, error) {
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	for {
		before, written := look(file)
		if !written || ctx.Err() != nil {
			next, problems, err := s.load(file)
			after, again := look(file)
			if ctx.Err() != nil || !again && after == before {
				return next, problems, err
			}
		}
		select {
		case <-time.After(lookTime):
		case <-ctx.Done():
		}
	}
}

// version tells a file from what it was before.
type version struct {
	inode   uint64
	size    int64
	changed unix.Timespec
}

// look tells the version of a file, and whether somebody has it open to write:
// a lease is refused then, fcntl(2). Where there are no leases, and for a
// pattern, nobody has.
func look(file string) (v version, written bool) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return version{}, false
	}
	defer f.Close()
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return version{}, false
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK) // closing gives it back
	return version{st.Ino, st.Size, st.Ctim}, errors.Is(err, unix.EAGAIN)
}
