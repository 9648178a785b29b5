package supervisor

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/lvsd/lvsd/bfd"
	"github.com/lvsd/lvsd/checker"
	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/filewatch"
	"github.com/lvsd/lvsd/ipvs"
	"github.com/lvsd/lvsd/notify"
)

// CheckScript runs the script of a MISC_CHECK.
func CheckScript(ctx context.Context, cmd config.Command) checker.Exit {
	status, err := notify.Exec(ctx, cmd)
	exit := checker.Exit{Status: status}
	if errors.Is(err, notify.ErrNotRun) {
		exit.NotRun = err
	}
	return exit
}

// verdict is what a check has found out, as the services take it.
func verdict(r checker.Report) ipvs.Verdict {
	return ipvs.Verdict{Service: r.Service, Health: ipvs.Health{
		Server: r.Server, Check: r.Check, Up: r.Up, Weight: r.Weight, Reason: r.Reason, Timeout: r.Timeout,
	}}
}

// checkedFiles follows the files of FILE_CHECKs.
type checkedFiles struct {
	watcher *filewatch.Watcher
	watch   *checker.Watch

	following sync.WaitGroup
	mu        sync.Mutex // of what follows; held while a number is passed on
	files     map[string]*checkedFile
}

type checkedFile struct {
	path   string
	cancel func()
	known  chan struct{} // closed with the first number
}

// firstNumber is what a file is waited for before its servers are used: it may
// be on a file system that hangs.
const firstNumber = time.Second

// apply follows the files that checks of a configuration name, and returns when
// their numbers are known.
func (f *checkedFiles) apply(c *config.Config) {
	want := c.CheckedFiles()
	f.mu.Lock()
	if f.files == nil {
		f.files = make(map[string]*checkedFile)
	}
	for name, file := range f.files {
		if next := want[name]; next == nil || next.File != file.path {
			file.cancel()
			delete(f.files, name)
			if next == nil {
				f.watch.Forget(name)
			}
		}
	}
	for name, file := range want {
		if f.files[name] == nil {
			f.follow(name, file.File)
		}
	}
	all := maps.Clone(f.files)
	f.mu.Unlock()
	limit := time.After(firstNumber)
	for _, file := range all {
		select {
		case <-file.known:
		case <-limit:
			return
		}
	}
}

func (f *checkedFiles) follow(name, path string) {
	ctx, cancel := context.WithCancel(context.Background())
	file := &checkedFile{path: path, cancel: cancel, known: make(chan struct{})}
	f.files[name] = file
	first := sync.OnceFunc(func() { close(file.known) })
	f.following.Go(func() {
		f.watcher.Follow(ctx, path, func(number int) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.files[name] == file {
				f.watch.File(name, number)
			}
			first()
		})
	})
}

// run is the part that ends with all files let go.
func (f *checkedFiles) run(ctx context.Context) error {
	<-ctx.Done()
	f.apply(new(config.Config))
	f.following.Wait()
	return nil
}

// checkedSessions follows the BFD sessions that checks may name.
type checkedSessions struct {
	sessions *bfd.Runner
	watch    *checker.Watch

	following sync.WaitGroup
	cancels   map[string]func() // by session; apply is called by one at a time
}

// apply follows the sessions of a configuration.
func (f *checkedSessions) apply(c *config.Config) {
	want := make(map[string]bool)
	for i := range c.Trackers.BFD {
		if b := &c.Trackers.BFD[i]; b.Checker || !b.VRRP {
			want[b.Name] = true
		}
	}
	for name, cancel := range f.cancels {
		if !want[name] {
			cancel()
			delete(f.cancels, name)
		}
	}
	for name := range want {
		if f.cancels[name] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(context.Background())
		f.cancels[name] = cancel
		f.following.Go(func() {
			f.sessions.Follow(ctx, name, func(up bool) { f.watch.Session(name, up) })
		})
	}
}

// run is the part that ends with all sessions let go.
func (f *checkedSessions) run(ctx context.Context) error {
	<-ctx.Done()
	f.apply(new(config.Config))
	f.following.Wait()
	return nil
}

// suspension knows which services are suspended: those with ha_suspend whose
// address is not on this host.
type suspension struct {
	checks *checker.Scheduler

	mu       sync.Mutex
	services map[config.ServiceKey][]netip.Addr // that have ha_suspend, with their addresses
	here     map[netip.Addr]bool
}

// apply takes the services of a configuration.
func (s *suspension) apply(services []config.Service) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.services = make(map[config.ServiceKey][]netip.Addr)
	for i := range services {
		if !services[i].HASuspend {
			continue
		}
		for key := range services[i].Addresses() {
			s.services[services[i].Key] = append(s.services[services[i].Key], key.Addr.Addr())
		}
	}
	s.suspend()
}

// addresses takes the addresses of this host.
func (s *suspension) addresses(here map[netip.Addr]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.here = here
	if len(s.services) > 0 {
		s.suspend()
	}
}

func (s *suspension) suspend() {
	idle := make(map[config.ServiceKey]bool)
	for key, all := range s.services {
		if !slices.ContainsFunc(all, func(a netip.Addr) bool { return s.here[a] }) {
			idle[key] = true
		}
	}
	s.checks.Suspend(idle)
}
