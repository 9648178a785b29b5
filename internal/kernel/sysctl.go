//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// conf is net.ipv4.conf of the network namespace that it was opened in. A path
// through /proc would lead to that of the thread that takes it.
type conf struct {
	dir     *os.Root
	dir6    *os.Root            // net.ipv6.conf; nil: the kernel has no IPv6
	saved   map[string]Setting  // by link and name: what was there before
	index   map[sysctlID]uint32 // of the link that has been set
	journal Journal
}

// A Setting is a value of net.ipv4.conf that lvsd has set.
type Setting struct {
	Link, Name string
	Was, Set   string
}

// A Journal is told what lvsd sets before it does, and what it has set back,
// so that the start after a crash can do so; likewise of nftables tables, by
// their names.
type Journal interface {
	Setting(Setting)
	Restored(Setting)
	Table(name string)
	Dropped(name string)
}

// noJournal forgets.
type noJournal struct{}

func (noJournal) Setting(Setting)  {}
func (noJournal) Restored(Setting) {}
func (noJournal) Table(string)     {}
func (noJournal) Dropped(string)   {}

// Journal is called before the first claim.
func (h *Host) Journal(j Journal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conf.journal, h.firewall.journal = j, j
}

// Restore sets back what a predecessor has set. What is gone, or has been set
// to something else since, is left alone.
func (h *Host) Restore(left []Setting) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	for _, s := range left {
		if is, err := h.conf.read(s.Link, s.Name); err != nil || is != s.Set {
			continue
		}
		if err := h.conf.write(path.Join(s.Link, s.Name), s.Was); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("restore net.ipv4.conf.%s.%s: %w", s.Link, s.Name, err))
		}
	}
	return errors.Join(errs...)
}

func openConf() (*conf, error) {
	dir, err := os.OpenRoot("/proc/sys/net/ipv4/conf")
	if err != nil {
		return nil, err
	}
	dir6, err := os.OpenRoot("/proc/sys/net/ipv6/conf")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		_ = dir.Close()
		return nil, err
	}
	return &conf{dir: dir, dir6: dir6, saved: make(map[string]Setting), index: make(map[sysctlID]uint32), journal: noJournal{}}, nil
}

func (c *conf) close() error {
	err := c.dir.Close()
	if c.dir6 != nil {
		err = errors.Join(err, c.dir6.Close())
	}
	return err
}

// disableIPv6 is for a link that lvsd has made, so that nothing is restored.
func (c *conf) disableIPv6(link string, disabled bool) error {
	if c.dir6 == nil {
		return nil
	}
	f, err := c.dir6.OpenFile(path.Join(link, "disable_ipv6"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(map[bool]string{true: "1", false: "0"}[disabled])
	return errors.Join(err, f.Close())
}

func (c *conf) read(link, name string) (string, error) {
	value, err := c.dir.ReadFile(path.Join(link, name))
	return strings.TrimSpace(string(value)), err
}

// set writes a value and remembers the first one that was there before.
func (c *conf) set(link, name, value string) error {
	at := path.Join(link, name)
	was, err := c.read(link, name)
	if err != nil || was == value {
		return err
	}
	setting := Setting{Link: link, Name: name, Was: was, Set: value}
	before, known := c.saved[at]
	if known {
		setting.Was = before.Was
	}
	c.journal.Setting(setting)
	if known {
		c.journal.Restored(before)
	}
	c.saved[at] = setting
	return c.write(at, value)
}

func (c *conf) write(at, value string) error {
	f, err := c.dir.OpenFile(at, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// restore writes what was there before; nothing when the link is gone.
func (c *conf) restore(link, name string) error {
	at := path.Join(link, name)
	was, known := c.saved[at]
	if !known {
		return nil
	}
	if err := c.write(at, was.Was); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c.forget(at)
	return nil
}

// forget is for a value that is not lvsd's any more.
func (c *conf) forget(at string) {
	if s, known := c.saved[at]; known {
		delete(c.saved, at)
		c.journal.Restored(s)
	}
}

// sysctl is a claimed value.
type sysctl struct {
	config.Sysctl
	conf *conf
}

type sysctlID struct{ link, name string }

func (s sysctl) id() any        { return sysctlID{s.Link, s.Name} }
func (s sysctl) kind() kind     { return sysctls }
func (s sysctl) watched() bool  { return false } // who sets it otherwise has a reason
func (s sysctl) String() string { return fmt.Sprintf("net.ipv4.conf.%s.%s", s.Link, s.Name) }

func (s sysctl) same(other object) bool {
	o, ok := other.(sysctl)
	return ok && s.Value == o.Value
}

func (s sysctl) add(b *batch) (adopted bool, err error) {
	index, err := b.index(s.Link)
	if err != nil {
		return false, fmt.Errorf("set %s: %w", s, err)
	}
	id := sysctlID{s.Link, s.Name}
	if s.conf.index[id] != index {
		s.conf.forget(path.Join(s.Link, s.Name)) // that was of another link
	}
	s.conf.index[id] = index
	if err := s.conf.set(s.Link, s.Name, s.Value); err != nil {
		return false, fmt.Errorf("set %s to %s: %w", s, s.Value, err)
	}
	return false, nil
}

func (s sysctl) change(b *batch, _ object) error {
	_, err := s.add(b)
	return err
}

// remade says that the link is another one than that which was set.
func (s sysctl) remade(b *batch) bool {
	l := b.links[s.Link]
	return l != nil && uint32(l.Attrs().Index) != s.conf.index[sysctlID{s.Link, s.Name}]
}

func (s sysctl) delete(*batch) error {
	delete(s.conf.index, sysctlID{s.Link, s.Name})
	if err := s.conf.restore(s.Link, s.Name); err != nil {
		return fmt.Errorf("restore %s: %w", s, err)
	}
	return nil
}

// reversePath is net.ipv4.conf.all.rp_filter, which holds for all links
// whatever they say: it is moved to each of them, and to new ones, so that
// VMACs can be without.
type reversePath struct{ conf *conf }

type reversePathID struct{}

func (r reversePath) id() any          { return reversePathID{} }
func (r reversePath) kind() kind       { return sysctls }
func (r reversePath) watched() bool    { return false }
func (r reversePath) String() string   { return "net.ipv4.conf.all.rp_filter" }
func (r reversePath) same(object) bool { return true }

func (r reversePath) add(*batch) (adopted bool, err error) {
	const name = "rp_filter"
	all, err := r.conf.read("all", name)
	strict, _ := strconv.Atoi(all)
	if err != nil || strict == 0 {
		return false, err
	}
	names, err := fs.ReadDir(r.conf.dir.FS(), ".")
	if err != nil {
		return false, fmt.Errorf("set %s: %w", r, err)
	}
	for _, link := range names {
		is, err := r.conf.read(link.Name(), name)
		if n, _ := strconv.Atoi(is); err == nil && n < strict && link.Name() != "all" {
			err = r.conf.set(link.Name(), name, all)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("set %s of %s: %w", name, link.Name(), err)
		}
	}
	return false, r.conf.set("all", name, "0")
}

func (r reversePath) change(*batch, object) error { return nil }

func (r reversePath) delete(*batch) error {
	errs := []error{r.conf.restore("all", "rp_filter")}
	for at := range r.conf.saved {
		if link, name := path.Split(at); name == "rp_filter" {
			errs = append(errs, r.conf.restore(path.Clean(link), name))
		}
	}
	return errors.Join(errs...)
}
