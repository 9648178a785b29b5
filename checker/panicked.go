package checker

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// panicked is a panic of what a check does on the poller, which it must not
// reach: it ends the flight, and goes on where the check is judged.
type panicked struct {
	cause any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.cause) }

// caught is deferred around a check's talk. A panic is the end of its flight.
func caught(landed *bool, err *error) {
	if cause := recover(); cause != nil {
		*landed, *err = true, &panicked{cause, debug.Stack()}
	}
}

// judging is the end of a flight: done is told to judge it, or to panic where it
// did.
func judging(done func(func() Result), judge func(error) Result) func(error) {
	return func(err error) {
		done(func() Result {
			if p := (*panicked)(nil); errors.As(err, &p) {
				panic(p)
			}
			return judge(err)
		})
	}
}
