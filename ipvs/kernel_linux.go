package ipvs

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/cloudflare/ipvs"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// ErrNoIPVS is the error of a kernel that has no IPVS and cannot load it.
var ErrNoIPVS = errors.New("this kernel has no IPVS: load the module ip_vs (modprobe ip_vs), " +
	"or use a kernel with CONFIG_IP_VS and CONFIG_IP_VS_PROTO_TCP/UDP")

// patience bounds one exchange with the kernel. It answers in microseconds; a
// socket that does not is broken.
const patience = 10 * time.Second

// Netlink is the IPVS of the kernel that we run on, in the current network
// namespace. Its socket is opened when it is first needed, which loads the
// module ip_vs if necessary. It is safe for concurrent use.
type Netlink struct {
	mu     sync.Mutex
	client ipvs.Client // nil: not open

	answerWithin time.Duration // 0: patience
}

// NewKernel is the kernel's IPVS; nothing is opened before the first use.
func NewKernel() *Netlink { return new(Netlink) }

// Close closes the socket. The next use opens another one.
func (n *Netlink) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.drop()
}

// List is the whole table.
func (n *Netlink) List() (map[config.ServiceKey]*Service, error) {
	table := make(map[config.ServiceKey]*Service)
	err := n.with(func(c ipvs.Client) error {
		all, err := c.Services()
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // the library's answer to an empty table
			return err
		}
		for _, raw := range all {
			s, err := withDests(c, raw.Service)
			if err != nil {
				return err
			}
			table[s.Key] = s
		}
		return nil
	})
	return table, err
}

// Read is one service, nil when it is absent.
func (n *Netlink) Read(key config.ServiceKey) (s *Service, err error) {
	err = n.with(func(c ipvs.Client) error {
		raw, err := c.Service(toService(key, Attrs{}))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			return nil
		}
		if err == nil {
			s, err = withDests(c, raw.Service)
		}
		return err
	})
	return s, err
}

// Do changes the table.
func (n *Netlink) Do(op Op) error {
	svc := toService(op.Key, op.Attrs)
	err := n.with(func(c ipvs.Client) error {
		switch op.Verb {
		case AddService:
			return c.CreateService(svc)
		case EditService:
			return c.UpdateService(svc)
		case DeleteService:
			return c.RemoveService(svc)
		case AddDest:
			return c.CreateDestination(svc, toDest(op.Dest))
		case EditDest:
			return c.UpdateDestination(svc, toDest(op.Dest))
		case DeleteDest:
			return c.RemoveDestination(svc, toDest(op.Dest))
		}
		return fmt.Errorf("no such operation: %q", op.Verb)
	})
	switch {
	case errors.Is(err, unix.ENOENT) && (op.Verb == AddService || op.Verb == EditService):
		// Not fs.ErrNotExist: reading the table again does not help.
		return fmt.Errorf("this kernel does not know the scheduler %q: load the module ip_vs_%[1]s", op.Attrs.Scheduler)
	case errors.Is(err, unix.ESRCH): // the kernel's word for: no such service
		return fmt.Errorf("virtual service: %w", fs.ErrNotExist)
	}
	return err
}

// with runs f with an open client, and gives up a client whose socket does not
// answer or fails in a way that says nothing about the table.
func (n *Netlink) with(f func(ipvs.Client) error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.client == nil {
		client, err := open()
		if err != nil {
			return err
		}
		n.client = client
	}
	socket := n.client
	limit := cmp.Or(n.answerWithin, patience)
	watchdog := time.AfterFunc(limit, func() { _ = closeClient(socket) })
	err := f(n.client)
	switch {
	case !watchdog.Stop():
		n.client = nil
		return fmt.Errorf("the kernel did not answer within %v: %w", limit, os.ErrDeadlineExceeded)
	case err != nil && !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ESRCH):
		return errors.Join(err, n.drop())
	}
	return err
}

func (n *Netlink) drop() error {
	client := n.client
	n.client = nil
	if client == nil {
		return nil
	}
	return closeClient(client)
}

// closeClient closes the socket of a client: the library's interface leaves
// Close out, its implementation has it.
func closeClient(c ipvs.Client) error {
	if closer, ok := c.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// open connects to the kernel's IPVS and loads its module when it is missing.
func open() (ipvs.Client, error) {
	client, err := ipvs.New()
	if !errors.Is(err, fs.ErrNotExist) {
		return client, err
	}
	out, loadErr := exec.Command("modprobe", "-va", "ip_vs").CombinedOutput()
	if loadErr == nil {
		client, err = ipvs.New()
	}
	switch {
	case loadErr != nil:
		reason := strings.TrimSpace(string(out))
		if reason == "" {
			reason = loadErr.Error()
		}
		return nil, fmt.Errorf("%w (%s)", ErrNoIPVS, reason)
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNoIPVS
	}
	return client, err
}

func withDests(c ipvs.Client, raw ipvs.Service) (*Service, error) {
	s := fromService(raw)
	dests, err := c.Destinations(raw)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the destinations of %s: %w", s.Key, err)
	}
	for _, d := range dests {
		s.Dests = append(s.Dests, fromDest(d.Destination))
	}
	return s, nil
}
