package ipvs

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
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

// Netlink is the IPVS of the kernel that we run on. Its sockets are opened when
// they are first needed, which loads the module ip_vs if necessary. It is safe
// for concurrent use.
type Netlink struct {
	opts KernelOptions

	mu      sync.Mutex
	sockets *sockets // nil: not open

	answerWithin time.Duration // 0: patience
}

// KernelOptions say how to reach the kernel's IPVS.
type KernelOptions struct {
	Namespace string               // a name of ip-netns(8): net_namespace_ipvs; empty: that of the process
	Receive   config.ReceiveBuffer // of the sockets: lvs_netlink_cmd_rcv_bufs
}

// sockets are both ways to the same table.
type sockets struct {
	ipvs.Client // for the timeouts
	genl        *genl
}

// NewKernel is the kernel's IPVS; nothing is opened before the first use.
func NewKernel(opts KernelOptions) *Netlink { return &Netlink{opts: opts} }

// Close closes the sockets. The next use opens others.
func (n *Netlink) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.drop()
}

// List is the whole table.
func (n *Netlink) List() (map[config.ServiceKey]*Service, error) {
	table := make(map[config.ServiceKey]*Service)
	err := n.with(func(s *sockets) error {
		all, err := s.genl.readAll()
		for _, service := range all {
			table[service.Key] = service
		}
		return err
	})
	return table, err
}

// Read are services, nil where there is none.
func (n *Netlink) Read(keys []config.ServiceKey) (services []*Service, err error) {
	err = n.with(func(s *sockets) error {
		services, err = s.genl.read(keys)
		return err
	})
	return services, err
}

// Do changes the table, with many operations in one message.
func (n *Netlink) Do(ops []Op) []error {
	var errs []error
	err := n.with(func(s *sockets) (err error) {
		errs, err = s.genl.do(ops)
		return err
	})
	if err != nil {
		errs = slices.Repeat([]error{err}, len(ops))
	}
	for i, err := range errs {
		errs[i] = explain(ops[i], err)
	}
	return errs
}

// explain gives errors of the kernel a meaning.
func explain(op Op, err error) error {
	switch edits := op.Verb == AddService || op.Verb == EditService; {
	case errors.Is(err, unix.ENOENT) && edits && op.Attrs.Engine != "":
		return fmt.Errorf("this kernel does not know the scheduler %q or the persistence engine %q: load the modules ip_vs_%[1]s and ip_vs_pe_%[2]s",
			op.Attrs.Scheduler, op.Attrs.Engine)
	case errors.Is(err, unix.ENOENT) && edits:
		// Not fs.ErrNotExist: reading the table again does not help.
		return fmt.Errorf("this kernel does not know the scheduler %q: load the module ip_vs_%[1]s", op.Attrs.Scheduler)
	case errors.Is(err, unix.ESRCH): // the kernel's word for: no such service
		return fmt.Errorf("virtual service: %w", fs.ErrNotExist)
	}
	return err
}

// Flush empties the table.
func (n *Netlink) Flush() error {
	return n.with(func(s *sockets) error { return s.genl.flush() })
}

// with runs f with open sockets, and gives them up when one does not answer or
// fails in a way that says nothing about the table.
func (n *Netlink) with(f func(*sockets) error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sockets == nil {
		s, err := n.open()
		if err != nil {
			return err
		}
		n.sockets = s
	}
	limit := cmp.Or(n.answerWithin, patience)
	open := n.sockets
	watchdog := time.AfterFunc(limit, func() { _ = open.close() })
	err := f(open)
	switch {
	case !watchdog.Stop():
		n.sockets = nil
		return fmt.Errorf("the kernel did not answer within %v: %w", limit, os.ErrDeadlineExceeded)
	case err != nil && !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ESRCH):
		return errors.Join(err, n.drop())
	}
	return err
}

func (n *Netlink) drop() error {
	s := n.sockets
	n.sockets = nil
	if s == nil {
		return nil
	}
	return s.close()
}

// close closes both: the library's interface leaves Close out, its
// implementation has it.
func (s *sockets) close() (err error) {
	if closer, ok := s.Client.(io.Closer); ok {
		err = closer.Close()
	}
	if s.genl != nil {
		err = errors.Join(err, s.genl.close())
	}
	return err
}

// open connects to the kernel's IPVS and loads its module when it is missing.
func (n *Netlink) open() (*sockets, error) {
	s, err := n.dial()
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	out, loadErr := exec.Command("modprobe", "-va", "ip_vs").CombinedOutput()
	if loadErr == nil {
		s, err = n.dial()
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
	return s, err
}

func (n *Netlink) dial() (s *sockets, err error) {
	err = inNamespace(n.opts.Namespace, func() error {
		client, err := ipvs.New()
		if err != nil {
			return err
		}
		s = &sockets{Client: client}
		s.genl, err = dialGenl(n.opts.Receive)
		if err != nil {
			err = errors.Join(err, s.close())
		}
		return err
	})
	return s, err
}

// inNamespace runs f on a thread in a network namespace: sockets stay where
// they were opened.
func inNamespace(name string, f func() error) error {
	if name == "" {
		return f()
	}
	there, err := os.Open("/run/netns/" + name)
	if err != nil {
		// Not fs.ErrNotExist: that is said of a module.
		return errors.New("the network namespace of IPVS: " + err.Error())
	}
	defer func() { _ = there.Close() }()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return errors.New("the network namespace of lvsd: " + err.Error())
	}
	defer func() { _ = here.Close() }()
	failed := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
			runtime.UnlockOSThread()
			failed <- fmt.Errorf("enter the network namespace %s: %w", name, err)
			return
		}
		err := f()
		if unix.Setns(int(here.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread() // otherwise the thread ends with the goroutine
		}
		failed <- err
	}()
	return <-failed
}
