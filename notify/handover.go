package notify

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// FIFOHandover is an open pipe. The program that takes the place of this one
// has its descriptor, so that neither lines nor readers are lost.
type FIFOHandover struct {
	Path    string
	User    config.User
	FD      int
	Created bool // and to be removed
	Lost    uint64
	Pending []LineHandover
}

// LineHandover is a state that waits for the reader to make room.
type LineHandover struct {
	Object Object
	Text   string
}

// Handover ends the scripts that read, and tells which pipes are open. They
// stay open, and [FIFOs.Apply] starts the scripts again.
func (f *FIFOs) Handover() (all []FIFOHandover) {
	f.stopReaders()
	f.each(func(p *pipe) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.fd < 0 {
			return
		}
		h := FIFOHandover{Path: p.cfg.Path, User: p.cfg.User, FD: p.fd, Created: p.created, Lost: p.lost}
		for _, l := range p.pending {
			h.Pending = append(h.Pending, LineHandover{l.object, l.text})
		}
		all = append(all, h)
	})
	return all
}

// TakeOver says which pipes are open, before the first [FIFOs.Apply]. Those that
// it does not name are closed by it.
func (f *FIFOs) TakeOver(all []FIFOHandover) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taking = all
}

// expected is the pipe of a configuration as a predecessor had it; nil: it had
// none.
func (f *FIFOs) expected(cfg config.FIFO) *fifo {
	i := slices.IndexFunc(f.taking, func(h FIFOHandover) bool { return h.Path == cfg.Path && h.User == cfg.User })
	if i < 0 {
		return nil
	}
	h := f.taking[i]
	f.taking = slices.Delete(f.taking, i, i+1)
	return h.fifo(f, cfg)
}

func (h *FIFOHandover) fifo(f *FIFOs, cfg config.FIFO) *fifo {
	file := newFIFO(f.log, cfg)
	file.fd, file.created, file.lost = h.FD, h.Created, h.Lost
	for _, l := range h.Pending {
		file.pending = append(file.pending, line{l.Object, l.Text})
	}
	unix.CloseOnExec(h.FD)
	return file
}

// dropExpected closes the pipes of a predecessor that nobody wants.
func (f *FIFOs) dropExpected() {
	for i := range f.taking {
		f.taking[i].fifo(f, config.FIFO{Path: f.taking[i].Path}).close()
	}
	f.taking = nil
}

// Idle says that no script runs and none is due.
func (d *Dispatcher) Idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.queues) == 0
}

// MailHandover are the mails that wait, and what the last one told about each
// instance and sync group.
type MailHandover struct {
	Letters []LetterHandover
	Last    []LastMail
}

// LetterHandover is a mail that waits.
type LetterHandover struct {
	Subject, Body string
	At            time.Time
	Left          []string // addresses that have not got it yet; nil: none has
	Said          string
}

// LastMail is what the last mail about an object told.
type LastMail struct {
	Object Object
	What   string
}

// Handover is what waits now.
func (m *Mailer) Handover() (h MailHandover) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.queue {
		h.Letters = append(h.Letters, LetterHandover{l.subject, l.body, l.at, l.left, l.said})
	}
	for o, what := range m.last {
		h.Last = append(h.Last, LastMail{o, what})
	}
	return h
}

// Idle says that no mail waits.
func (m *Mailer) Idle() bool { return m.waiting() == 0 }

// TakeOver says what waits, before the first [Mailer.Apply].
func (m *Mailer) TakeOver(h MailHandover) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range h.Letters {
		m.queue = append(m.queue, &letter{subject: l.Subject, body: l.Body, at: l.At, left: l.Left, said: l.Said})
	}
	for _, l := range h.Last {
		m.last[l.Object] = l.What
	}
}
