package rig

import "fmt"

// Send sends a whole Ethernet frame from the device of the capture, as a host
// that keeps to no rules can.
func (c *Capture) Send(frame []byte) error {
	if _, err := c.file.Write(frame); err != nil {
		return fmt.Errorf("send a frame of %d bytes: %w", len(frame), err)
	}
	return nil
}
