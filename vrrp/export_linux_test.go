package vrrp

import "golang.org/x/sys/unix"

// OpenRaw opens raw sockets that no loop asks. The function waits for input, for
// a short time, and says whether there is any.
func OpenRaw(s Socket, vrids []uint8) (Conn, func() bool, error) {
	c, err := openRaw(s, vrids, new(inbox))
	if err != nil {
		return nil, nil, err
	}
	return c, func() bool {
		const limit = 10 // ms
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(c.rx), Events: unix.POLLIN}}, limit)
		return n > 0 && err == nil
	}, nil
}

// Wake wakes the loop, for nothing.
func (r *Runner) Wake() { r.waiter.wake() }

// Occupy lets the loop do something, and returns at once.
func (r *Runner) Occupy(f func()) { r.post(&post{run: f}) }
