package checker

import (
	"errors"

	"golang.org/x/sys/unix"
)

// plainGet is an [httpGet] over HTTP/1 in the clear: it is polled.
type plainGet struct{ *httpGet }

// start is Check on a poller.
func (g plainGet) start(p *poller, done func(Result)) *flight {
	t := &httpTalk{httpGet: g.httpGet, answer: answer{text: g.want.collector()}}
	return p.travel(journey{
		dialer: g.dialer, network: "tcp", step: g.timeout, pieces: true, total: httpSteps * g.timeout, talk: t,
		slow: g.want.regex != nil,
	}, t.outcome, done)
}

// httpTalk is a request and its answer.
type httpTalk struct {
	*httpGet
	answer    answer
	connected bool
}

func (t *httpTalk) begin() []byte {
	t.connected = true
	return httpRequest(t.version, t.url.Path, t.host)
}

func (t *httpTalk) hear(b []byte, end error) (say []byte, over bool, err error) {
	if end == nil {
		over, err = t.answer.take(b)
	} else {
		over, err = true, t.answer.ends(end)
	}
	if err != nil {
		err = t.during(errors.Is(end, errLate), err)
	}
	return nil, over, err
}

// outcome is what has become of a request.
func (t *httpTalk) outcome(err error) Result {
	switch {
	case errors.Is(err, unix.ENETUNREACH) && !t.connected:
		return httpFailure(&httpError{saysUnreachable, err})
	case err != nil:
		return httpFailure(err)
	}
	return t.judge(&t.answer, nil)
}
