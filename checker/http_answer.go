package checker

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strconv"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/pcre"
)

// What an answer may cost. A server that says more fails.
const (
	maxHTTPHeader = 16 << 10
	maxHTTPBody   = 16 << 20
	maxRegexText  = 1 << 20 // of the body that a regular expression sees
	maxPieces     = 8 << 10 // in which it comes, and one more for each so many octets:
	pieceOctets   = 512
)

// errBegun marks an error in the middle of an answer.
var errBegun = errors.New("the answer had begun")

// errNoHeader is the end of a connection without an answer.
var errNoHeader = errors.New("the connection was closed before the end of the header")

// answer is what comes back from a server, piece by piece.
type answer struct {
	status   int   // 0: none
	length   int64 // Content-Length; -1: none
	received int64 // octets of the body
	text     *collector
	watch    func(header string, begun bool) // told of the header, and whether the body has begun to arrive; may be nil

	header []byte // as far as it has come
	inBody bool
	pieces pieces
}

// pieces counts what an answer comes in: segments, records of TLS, or frames of
// HTTP/2, which may be padded. To take one has its price however short it is.
type pieces struct{ number, octets int }

func (p *pieces) add(octets int) error {
	p.number, p.octets = p.number+1, p.octets+octets
	if p.number > maxPieces+p.octets/pieceOctets || p.octets > 2*maxHTTPBody {
		return errPieces
	}
	return nil
}

var errPieces = &httpError{saysReadError, errors.New("the answer comes in too many pieces")}

// readHTTP1 reads an answer of HTTP/1: its header, and its body up to
// Content-Length or the end of the connection.
func (a *answer) readHTTP1(r io.Reader) error {
	b := make([]byte, 16<<10)
	for {
		n, err := r.Read(b)
		if over, wrong := a.take(b[:n]); over || wrong != nil {
			return wrong
		}
		if err != nil {
			return a.ends(err)
		}
	}
}

// take takes the next piece of an answer of HTTP/1, and tells whether it is
// the last one that counts.
func (a *answer) take(b []byte) (over bool, err error) {
	if err := a.pieces.add(len(b)); err != nil {
		return false, err
	}
	if !a.inBody {
		if b, err = a.takeHeader(b); err != nil || !a.inBody {
			return false, err
		}
	}
	if a.length >= 0 {
		b = b[:min(int64(len(b)), a.length-a.received)]
	}
	if a.received += int64(len(b)); a.received > maxHTTPBody {
		return false, errBodyTooLong
	}
	_, _ = a.text.Write(b) // it has no errors
	return a.received == a.length, nil
}

var errBodyTooLong = &httpError{saysReadError, fmt.Errorf("the body is longer than %d MiB", maxHTTPBody>>20)}

// takeHeader is take up to the empty line, and gives what is behind it.
func (a *answer) takeHeader(b []byte) (body []byte, err error) {
	const end = "\r\n\r\n"
	whole, from := b, 0
	if len(a.header) > 0 {
		from = max(len(a.header)-len(end)+1, 0)
		a.header = append(a.header, b...)
		whole = a.header
	}
	at := bytes.Index(whole[from:], []byte(end))
	switch size := from + at + len(end); {
	case at >= 0 && size <= maxHTTPHeader:
		a.inBody = true
		a.readHeader(whole[:size], size < len(whole))
		return whole[size:], nil
	case at >= 0 || len(whole) > maxHTTPHeader:
		return nil, &httpError{saysNoData, fmt.Errorf("the header is longer than %d KiB", maxHTTPHeader>>10)}
	case len(a.header) == 0:
		a.header = append(a.header, b...)
	}
	return nil, nil
}

// readHeader reads the header with its empty line.
//
// keepalived looks for a status code of three digits between blanks in the
// first line, and for nothing else there.
func (a *answer) readHeader(header []byte, bodyBegun bool) {
	if a.watch != nil {
		a.watch(string(header), bodyBegun)
	}
	first, rest, _ := bytes.Cut(header, []byte("\r\n"))
	_, behind, _ := bytes.Cut(first, []byte(" "))
	if code, _, ok := bytes.Cut(behind, []byte(" ")); ok && len(code) == 3 {
		if n, err := strconv.ParseUint(string(code), 10, 16); err == nil {
			a.status = int(n)
		}
	}
	a.length = contentLength(rest)
}

// ends takes the end of the connection.
func (a *answer) ends(err error) error {
	over := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) // of TLS, without close_notify
	switch {
	case over && a.inBody:
		return nil
	case over:
		return &httpError{saysNoData, errNoHeader}
	case a.inBody, len(a.header) > 0:
		return fmt.Errorf("%w: %w", errBegun, err)
	}
	return err
}

// size is how long the body was, and should have been.
func (a *answer) size() string {
	if a.length < 0 {
		return fmt.Sprintf("%d octets, no Content-Length", a.received)
	}
	return fmt.Sprintf("%d octets, Content-Length %d", a.received, a.length)
}

// readBody reads a body that is apart from its header.
func (a *answer) readBody(r io.Reader) (err error) {
	a.received, err = io.Copy(a.text, io.LimitReader(r, maxHTTPBody+1))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errBegun, err)
	case a.received > maxHTTPBody:
		return errBodyTooLong
	}
	return nil
}

// contentLength is the first Content-Length among the fields of a header, -1
// when there is none that is a number.
func contentLength(fields []byte) int64 {
	for field := range bytes.SplitSeq(fields, []byte("\r\n")) {
		name, value, _ := bytes.Cut(field, []byte(":"))
		if !bytes.EqualFold(name, []byte("Content-Length")) {
			continue
		}
		if n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 63); err == nil {
			return int64(n)
		}
		break
	}
	return -1
}

// collector takes what is needed of a body, as it comes.
type collector struct {
	digest hash.Hash // nil: not asked for
	keep   bool      // text is asked for
	text   []byte
	more   bool         // the body is longer than text
	watch  func([]byte) // sees the body pass by; may be nil
}

func (c *collector) Write(b []byte) (int, error) {
	if c.digest != nil {
		c.digest.Write(b)
	}
	if c.watch != nil {
		c.watch(b)
	}
	if c.keep {
		room := min(len(b), maxRegexText-len(c.text))
		c.text = append(c.text, b[:room]...)
		c.more = c.more || room < len(b)
	}
	return len(b), nil
}

// expectations are what makes an answer right.
type expectations struct {
	codes  []config.StatusRange
	digest []byte       // nil: any body
	regex  *pcre.Regexp // nil: any body
	limits *config.Regex
}

func (e *expectations) collector() *collector {
	c := &collector{keep: e.regex != nil}
	if e.digest != nil {
		c.digest = md5.New()
	}
	return c
}

// What keepalived says of an answer that is right, by what was compared last.
const (
	saysStatusRight = "HTTP status code success to %s url(%p)"
	saysDigestRight = "MD5 digest success to %s url(%p)"
	saysRegexRight  = "Regex match success to %s url(%p)"
)

// compare gives the sentence for an answer that is right, or says what is wrong.
func (e *expectations) compare(a *answer, t *trace) (says string, err error) {
	says = saysStatusRight
	if !e.accepts(a.status) {
		return "", &httpError{saysStatus, fmt.Errorf("status code %d", a.status)}
	}
	if t != nil {
		t.note("status", "status code %d is accepted", a.status)
	}
	if e.digest != nil {
		says = saysDigestRight
		if got := a.text.digest.Sum(nil); !bytes.Equal(got, e.digest) {
			return "", &httpError{saysDigest, fmt.Errorf("digest %x, not %x", got, e.digest)}
		}
		t.note("digest", "the digest is %x", e.digest)
	}
	if e.regex != nil {
		says = saysRegexRight
		if err := e.match(a.text); err != nil {
			return "", &httpError{saysRegex, err}
		}
		t.note("regex", "the body is as the regex wants it")
	}
	return says, nil
}

func (e *expectations) accepts(status int) bool {
	return slices.ContainsFunc(e.codes, func(r config.StatusRange) bool {
		return status >= int(r.Low) && status <= int(r.High)
	})
}

func (e *expectations) match(c *collector) error {
	found, err := e.regex.Match(c.text, e.limits.MinOffset, e.limits.MaxOffset)
	switch {
	case err != nil:
		return err
	case found && e.limits.NoMatch:
		return errors.New("the body matches")
	case !found && !e.limits.NoMatch && c.more:
		return fmt.Errorf("no match in the first %d MiB of the body", maxRegexText>>20)
	case !found && !e.limits.NoMatch:
		return errors.New("no match in the body")
	}
	return nil
}
