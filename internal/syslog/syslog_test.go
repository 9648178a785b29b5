package syslog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// ended is a context that makes Run write what there is and return.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func some(log *zap.Logger) {
	log.Info("Starting lvsd")
	log.Named("vrrp").Info("(VI_1) Entering MASTER STATE")
	log.Named("checker").Named("tcp").Warn("down", zap.String("server", "[10.0.0.2]:tcp:80"), zap.Error(errors.New("no route")))
	log.Named("bfd").With(zap.Int("n", 1)).Error("x", zap.Duration("after", time.Second), zap.String("empty", ""))
	log.Named("notify").Debug("detail")
	log.Info("two\nlines \x1b[31mred\n")
}

func TestConsole(t *testing.T) {
	for _, detail := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var b bytes.Buffer
			out := New(Options{Console: &b, Detail: detail})
			some(out.Logger())
			if err := out.Run(ended()); err != nil {
				t.Error(err)
			}
			at := time.Now().Format(time.ANSIC) + ": " // Sat Jan  1 00:00:00 2000
			want := at + "Starting lvsd\n" +
				at + "(VI_1) Entering MASTER STATE\n" +
				at + "down server=[10.0.0.2]:tcp:80 error=\"no route\"\n" +
				at + "x n=1 after=1s empty=\"\"\n"
			if detail {
				want += at + "detail\n"
			}
			want += at + `two\nlines \x1b[31mred` + "\n"
			if b.String() != want {
				t.Errorf("got\n%swant\n%s", b.String(), want)
			}
		})
	}
}

// What -D twice asks for is there then only.
func TestExtraDetail(t *testing.T) {
	for extra, want := range map[bool]int{false: 0, true: 1} {
		var b bytes.Buffer
		out := New(Options{Console: &b, Detail: true, Extra: extra, Format: Text})
		out.Logger().Log(zap.DebugLevel-1, "more")
		if err := out.Run(ended()); err != nil {
			t.Error(err)
		}
		if got := strings.Count(b.String(), " debug keepalived: more\n"); got != want {
			t.Errorf("extra %t: %q", extra, b.String())
		}
	}
}

func listen(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func receive(t *testing.T, c net.Conn) string {
	t.Helper()
	b := make([]byte, 64<<10)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	c := listen(t, path)
	out := New(Options{Socket: path, Detail: true, Facility: Local0 + 2})
	some(out.Logger())
	if err := out.Run(ended()); err != nil {
		t.Error(err)
	}
	pid := fmt.Sprintf("[%d]: ", os.Getpid())
	stamp := regexp.MustCompile(`^(<\d+>)([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )`)
	for _, want := range []string{
		"<150>Keepalived" + pid + "Starting lvsd",
		"<150>Keepalived_vrrp" + pid + "(VI_1) Entering MASTER STATE",
		"<148>Keepalived_healthcheckers" + pid + `down server=[10.0.0.2]:tcp:80 error="no route"`,
		"<147>Keepalived_bfd" + pid + `x n=1 after=1s empty=""`,
		"<150>Keepalived" + pid + "detail",
		"<150>Keepalived" + pid + `two\nlines \x1b[31mred`,
	} {
		got := receive(t, c)
		if !stamp.MatchString(got) || stamp.ReplaceAllString(got, "$1") != want {
			t.Errorf("got %q, want %q with a time", got, want)
		}
	}
}

func TestStream(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	out := New(Options{Socket: path})
	out.Logger().Info("one")
	if err := out.Run(ended()); err != nil {
		t.Error(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if got := receive(t, c); !strings.HasPrefix(got, "<30>") || !strings.HasSuffix(got, ": one\x00") {
		t.Errorf("got %q", got)
	}
}

// A missing syslog costs nothing, and gets the newest lines when it comes; so
// does one that was restarted.
func TestReconnect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	out := New(Options{Socket: path})
	log := out.Logger()
	ctx, cancel := context.WithCancel(t.Context())
	for i := range Buffer + 1 { // before Run, which would take some of them in between
		log.Info(fmt.Sprint("line ", i))
	}
	done := make(chan error, 1)
	go func() { done <- out.Run(ctx) }()
	c := listen(t, path)
	if got := receive(t, c); !strings.HasSuffix(got, fmt.Sprintf(": log: %d lines lost", Buffer/8)) {
		t.Errorf("first %q", got)
	}
	for i := Buffer / 8; i <= Buffer; i++ {
		if got := receive(t, c); !strings.HasSuffix(got, fmt.Sprint(": line ", i)) {
			t.Fatalf("line %d: %q", i, got)
		}
	}
	_ = c.Close()
	c = listen(t, path+"new")
	if err := os.Rename(path+"new", path); err != nil {
		t.Fatal(err)
	}
	log.Info("after the restart")
	if got := receive(t, c); !strings.HasSuffix(got, ": after the restart") {
		t.Errorf("got %q", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Nobody reads: not the syslog, not the terminal. Logging goes on at once, in
// bounded memory, and one does not keep the other from its lines.
func TestStuck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	c := listen(t, path)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()

	w.Fd() // makes it block, as a terminal does
	out := New(Options{Socket: path, Console: w})
	log := out.Logger()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- out.Run(ctx) }()
	for range 10 * Buffer {
		log.Info("a line that nobody reads")
	}
	receive(t, c) // before the test takes lines away
	for _, target := range out.targets {
		if lines, _ := target.take(); len(lines) > Buffer {
			t.Errorf("%d lines buffered", len(lines))
		}
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("Run does not tell that the terminal hangs")
	}
	r.Close() // lets the goroutine that was left behind end
}

func TestConcurrent(t *testing.T) {
	var b bytes.Buffer
	out := New(Options{Console: &b})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- out.Run(ctx) }()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				out.Logger().Info("x")
			}
		})
	}
	wg.Wait()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := strings.Count(b.String(), ": x\n"); n != 800 {
		t.Errorf("%d of 800 lines", n)
	}
}

func TestLongLine(t *testing.T) {
	var b bytes.Buffer
	out := New(Options{Console: &b})
	out.Logger().Info(strings.Repeat("x", 1<<20))
	if err := out.Run(ended()); err != nil {
		t.Error(err)
	}
	if b.Len() > maxText+50 {
		t.Errorf("a line of %d bytes", b.Len())
	}
}

func TestSeverity(t *testing.T) {
	got := ""
	for l := zapcore.DebugLevel; l <= zapcore.FatalLevel; l++ {
		got += fmt.Sprint(severity(l))
	}
	if got != "6643222" {
		t.Errorf("severities %s", got)
	}
}

func TestParseFacility(t *testing.T) {
	for s, want := range map[string]uint8{"0": 16, "7": 23, "local3": 19, "user": 1, "daemon": 3} {
		if f, err := ParseFacility(s); err != nil || f.code() != want {
			t.Errorf("%s: %d, %v", s, f.code(), err)
		}
	}
	for _, s := range []string{"", "8", "local8", "-1", "mail", "local"} {
		if _, err := ParseFacility(s); err == nil {
			t.Errorf("%q is a facility", s)
		}
	}
	if Facility(0).code() != 3 {
		t.Error("the default is not daemon")
	}
}

// absent is a destination that is not there until it comes.
type absent struct {
	came  atomic.Bool
	tries []time.Duration
	began time.Time
}

func (a *absent) write(line) error {
	a.tries = append(a.tries, time.Since(a.began))
	if a.came.Load() {
		return nil
	}
	return errors.New("not there")
}

func (a *absent) String() string { return "absent" }

// What is not there is asked for less and less, and again after a second when
// it was there in between.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &absent{began: time.Now()}
		o := &Output{}
		o.SetSuffix("")
		o.add(a)
		var b bytes.Buffer
		o.add(&console{w: &b})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- o.Run(ctx) }()
		log := o.Logger()
		log.Info("one")
		time.Sleep(40 * time.Second)
		a.came.Store(true)
		time.Sleep(10 * time.Second)
		a.came.Store(false)
		log.Info("two")
		time.Sleep(1500 * time.Millisecond)
		cancel()
		<-done
		if n := strings.Count(b.String(), "log: the absent does not work: not there\n"); n != 2 {
			t.Errorf("said %d times in two outages:\n%s", n, b.String())
		}
		var got []int
		for _, d := range a.tries {
			got = append(got, int(d/time.Second))
		}
		if want := []int{0, 1, 3, 7, 15, 31, 47, 50, 51, 51}; !slices.Equal(got, want) {
			t.Errorf("asked at %v s, want %v", got, want)
		}
	})
}

// writes remembers each write.
type writes []string

func (w *writes) Write(b []byte) (int, error) {
	*w = append(*w, string(b))
	return len(b), nil
}

// Many lines cost the console few writes, of whole lines, and none that a pipe would
// take in parts.
func TestConsoleWritesTogether(t *testing.T) {
	var w writes
	out := New(Options{Console: &w})
	const count = 1000
	for i := range count {
		out.Logger().Info(fmt.Sprintf("line %d %s", i, strings.Repeat("x", i%90)))
	}
	if err := out.Run(ended()); err != nil {
		t.Fatal(err)
	}
	for _, text := range w {
		if len(text) > 4096 || !strings.HasSuffix(text, "\n") {
			t.Errorf("wrote %d bytes that end with %q", len(text), text[max(0, len(text)-20):])
		}
	}
	all := strings.Split(strings.TrimSuffix(strings.Join(w, ""), "\n"), "\n")
	if len(all) != count || len(w) > count/20 {
		t.Errorf("%d lines in %d writes, want %d lines", len(all), len(w), count)
	}
	for i, line := range all {
		if !strings.Contains(line+" ", fmt.Sprintf(" line %d ", i)) {
			t.Fatalf("line %d is %q", i, line)
		}
	}
}
