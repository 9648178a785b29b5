package checker

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// panicked is a panic of what a check does, which is a failure of that check.
type panicked struct {
	cause any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.cause) }

func (p *panicked) result() Result { return Result{Reason: p.Error(), Stack: string(p.stack)} }

// caught is deferred around a check's talk. A panic is the end of its flight.
func caught(landed *bool, err *error) {
	if cause := recover(); cause != nil {
		*landed, *err = true, &panicked{cause, debug.Stack()}
	}
}

// recovered is deferred around a probe and makes a panic its result.
func recovered(result func(Result)) {
	if cause := recover(); cause != nil {
		result((&panicked{cause, debug.Stack()}).result())
	}
}

// judged is what a journey has come to. A panic, of the journey or of its judge,
// is a failure.
func judged(judge func(error) Result, err error) (r Result) {
	defer recovered(func(failed Result) { r = failed })
	if p := (*panicked)(nil); errors.As(err, &p) {
		return p.result()
	}
	return judge(err)
}
