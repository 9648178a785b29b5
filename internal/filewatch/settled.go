//go:build linux

package filewatch

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A file that is being written has so long to be complete, and is looked at so
// often.
const (
	writeTime = time.Second
	lookTime  = 20 * time.Millisecond
)

// settled reads the number in a file that nobody writes to meanwhile. An event
// tells that somebody has closed the file, and the next one may have opened it
// by now. One that is kept open for longer is read as it is.
func settled(ctx context.Context, path string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	for {
		before, _ := Look(path)
		number, err := Read(path)
		after, written := Look(path)
		if !written && after == before || ctx.Err() != nil {
			return number, err
		}
		select {
		case <-time.After(lookTime):
		case <-ctx.Done():
		}
	}
}

// Version tells a file from what it was before.
type Version struct {
	inode   uint64
	size    int64
	changed unix.Timespec
}

// Look tells the version of a file, and whether somebody has it open to write:
// a lease is refused then, fcntl(2). Where there are no leases, and for what is
// no file, nobody has.
func Look(path string) (v Version, written bool) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return Version{}, false
	}
	defer f.Close()
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return Version{}, false
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK) // closing gives it back
	return Version{st.Ino, st.Size, st.Ctim}, errors.Is(err, unix.EAGAIN)
}
