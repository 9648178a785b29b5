package supervisor

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvsd/lvsd/config"
)

func TestInitFiles(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"kept", "overwritten", "target"} {
		if err := os.WriteFile(path(name), []byte("123456"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("target", path("link")); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.DebugLevel)
	initFiles(zap.New(core), []config.TrackFile{
		{Name: "plain", File: path("plain")},
		{Name: "new", File: path("new"), InitFile: config.Some(-5)},
		{Name: "kept", File: path("kept"), InitFile: config.Some(7)},
		{Name: "overwritten", File: path("overwritten"), InitFile: config.Some(0), Overwrite: true},
		{Name: "link", File: path("link"), InitFile: config.Some(9), Overwrite: true},
		{Name: "lost", File: path("no/such/folder"), InitFile: config.Some(9)},
	})
	for name, want := range map[string]string{"plain": "", "new": "-5\n", "kept": "123456", "overwritten": "0\n", "target": "123456"} {
		got, err := os.ReadFile(path(name))
		if string(got) != want || (err != nil) != (name == "plain") {
			t.Errorf("%s: %q %v, want %q", name, got, err, want)
		}
	}
	if logs.Len() != 2 {
		t.Errorf("logged %v", logs.All())
	}
	if info, err := os.Stat(path("new")); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode: %v %v", info, err)
	}
}
