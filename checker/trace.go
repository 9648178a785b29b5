package checker

import (
	"context"
	"fmt"
	"time"
)

// Step is something that a probe has come to.
type Step struct {
	After time.Duration // since the probe began
	Name  string        // a word for programs: connect, tls, request, header, status ...
	Text  string        // the same for people
}

// trace notes the steps of a probe. Nil notes nothing.
type trace struct {
	began time.Time
	steps []Step
}

type traceKey struct{}

// traced is the trace of a probe that is to have one; nil for all others.
func traced(ctx context.Context) *trace {
	t, _ := ctx.Value(traceKey{}).(*trace)
	return t
}

func (t *trace) note(name, format string, args ...any) {
	if t != nil {
		t.steps = append(t.steps, Step{time.Since(t.began), name, fmt.Sprintf(format, args...)})
	}
}
