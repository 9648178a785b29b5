package ipvs

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvsd/lvsd/config"
)

// fakeMarks tells the kernel's table what it does, so that the order is seen.
type fakeMarks struct {
	kernel *fakeKernel
	have   []config.Marked
	looks  int
}

func (m *fakeMarks) Mark(all []config.Marked) (changed bool, err error) {
	m.kernel.mu.Lock()
	defer m.kernel.mu.Unlock()
	m.looks++
	if err := m.kernel.fail("mark"); err != nil {
		return false, err
	}
	if slices.Equal(m.have, all) {
		return false, nil
	}
	m.have = slices.Clone(all)
	m.kernel.ops = append(m.kernel.ops, "mark "+strings.Join(textOf(all), ", "))
	return true, nil
}

// Packets get the mark of a service when it is there with its servers, and no
// more before it goes. What somebody changes is put back.
func TestMarkedServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := newFakeKernel()
		fake, marks := &fakeMarks{kernel: kernel}, new(Marks)
		r := start(t, kernel, func(o *Options) { o.Marker = fake })
		give := func(lines ...string) []config.Service {
			services := groups(lines...)
			for i := range services {
				services[i].Servers = []config.Server{parseServer(strings.Fields("10.0.9.9:80 nat"))}
			}
			marks.Give(services, 1000, nil)
			return services
		}
		const a, b, c = "a tcp 10.0.0.1-10.0.0.9:80", "b tcp 10.0.1.1:80 2001:db8::1:80", "c udp 10.0.2.1:53"
		const markA, markB, markC = "TCP 10.0.0.1-10.0.0.9 80-80 1000", "TCP 10.0.1.1-10.0.1.1 80-80 1001, TCP 2001:db8::1-2001:db8::1 80-80 1001", "UDP 10.0.2.1-10.0.2.1 53-53 1002"
		apply(t, r, give(a, b)...)
		wantOps(t, kernel, "-A -f 1000 -s rr", "-a -f 1000 -r 10.0.9.9:80 -m -w 1", "-A -f 1001 -s rr", "-a -f 1001 -r 10.0.9.9:80 -m -w 1",
			"-A -f 1001 -6 -s rr", "-a -f 1001 -6 -r 10.0.9.9:80 -m -w 1", "mark "+markA+", "+markB)
		apply(t, r, give(a, c)...)
		wantOps(t, kernel, "-A -f 1002 -s rr", "-a -f 1002 -r 10.0.9.9:80 -m -w 1", "mark "+markA+", "+markC, "-D -f 1001", "-D -f 1001 -6")
		apply(t, r, give("a tcp 10.0.0.1-10.0.0.8:80", c)...)
		wantOps(t, kernel, "mark TCP 10.0.0.1-10.0.0.8 80-80 1000, "+markC)
		apply(t, r, give(a, c)...)
		kernel.took()

		for what, look := range map[string]func(){"in its turn": func() { time.Sleep(compareRound) }, "when asked": r.Resync, "when it is to be otherwise": r.Remark} {
			kernel.mu.Lock()
			fake.have = nil
			kernel.mu.Unlock()
			look()
			synctest.Wait()
			t.Log(what)
			wantOps(t, kernel, "mark "+markA+", "+markC)
		}

		kernel.breakIt(func(what string) error {
			if what == "mark" {
				return errRefused
			}
			return nil
		})
		if err := r.Apply(give(c)); err == nil {
			t.Error("marks that cannot be changed are no error")
		}
		wantOps(t, kernel, "-D -f 1000")
		if s := r.Snapshot(); len(s) != 1 || s[0].Programmed {
			t.Errorf("status %+v", s)
		}
		kernel.breakIt(func(string) error { return nil })
		time.Sleep(maxBackoff)
		synctest.Wait()
		wantOps(t, kernel, "mark "+markC)
		if s := r.Snapshot(); !s[0].Programmed {
			t.Errorf("status %+v", s)
		}
		looks := fake.looks
		time.Sleep(10 * compareRound)
		synctest.Wait()
		if fake.looks != looks+10 {
			t.Errorf("%d looks in ten minutes", fake.looks-looks)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		wantOps(t, kernel, "mark ", "-D -f 1002")
	})
}

// A successor leaves marks and services to the next one, and takes those of a
// predecessor away only once its own are there.
func TestMarksAreLeftAndTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := newFakeKernel()
		services := groups("a tcp 10.0.0.1:80")
		new(Marks).Give(services, 1000, nil)
		fake := &fakeMarks{kernel: kernel}
		r := start(t, kernel, func(o *Options) { o.Marker, o.KeepOnStop = fake, true })
		apply(t, r, services...)
		kernel.took()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		wantOps(t, kernel)
		services[0].Mark = 2000
		r = start(t, kernel, func(o *Options) {
			o.Marker, o.Abandoned = fake, map[config.ServiceKey]bool{{FWMark: 1000}: true}
		})
		apply(t, r, services...)
		wantOps(t, kernel, "-A -f 2000 -s rr", "mark TCP 10.0.0.1-10.0.0.1 80-80 2000", "-D -f 1000")
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}
