package sigmask

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// role says what the test binary is: empty, the program that executes another
// one, or that one.
const role = "SIGMASK_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "former":
		if err := former(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	latter()
}

// former executes this program once more, while signals wait.
func former() error {
	release, err := Hold(unix.SIGUSR1, unix.SIGUSR2, unix.Signal(36), unix.Signal(63))
	if err != nil {
		return err
	}
	defer release()
	if err := os.Setenv(role, "latter"); err != nil {
		return err
	}
	return unix.Exec("/proc/self/exe", os.Args, os.Environ())
}

// latter listens once it was told to, and says what it has heard.
func latter() {
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	heard := make(chan os.Signal, 8)
	signal.Notify(heard, unix.SIGUSR1, unix.SIGUSR2, unix.Signal(36), unix.Signal(63))
	for range 4 {
		fmt.Println((<-heard).String())
	}
	c := exec.Command("grep", "SigBlk", "/proc/self/status")
	c.Stdout = os.Stdout
	if err := Start(c); err != nil {
		fmt.Println(err)
	}
	_ = c.Wait()
	os.Exit(0)
}

// Signals that come before the new program listens are heard when it does, and
// are blocked in nothing that it starts.
func TestHold(t *testing.T) {
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), role+"=former")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(out)
	if line, err := said.ReadString('\n'); line != "ready\n" {
		t.Fatalf("the new program: %q %v", line, err)
	}
	for _, sig := range []syscall.Signal{unix.SIGUSR1, unix.SIGUSR2, 36, 63} {
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(in, "listen\n"); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(said)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("%v: %s", err, text)
	}
	for _, want := range []string{"user defined signal 1\n", "user defined signal 2\n", "signal 36\n", "signal 63\n", "SigBlk:\t0000000000000000\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing: %s", want, text)
		}
	}
}

// A signal that is ignored ends nothing.
func TestIgnore(t *testing.T) {
	const rtmin = syscall.Signal(34) // Go has no handler for it
	if err := Ignore(rtmin); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), rtmin); err != nil {
		t.Fatal(err)
	}
	if err := Ignore(syscall.SIGKILL); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("SIGKILL is ignored: %v", err)
	}
}
