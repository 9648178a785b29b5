package golden

import (
	"os"
	"path/filepath"
	"testing"
)

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }

func TestEqual(t *testing.T) {
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte("a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]bool{"a\n": false, "b\n": true, "": true} {
		r := &recorder{TB: t}
		if Equal(r, file, got); r.failed != want {
			t.Errorf("%q: failed %t, want %t", got, r.failed, want)
		}
	}
	*update = true
	defer func() { *update = false }()
	Equal(t, file, "new\n")
	if text, _ := os.ReadFile(file); string(text) != "new\n" {
		t.Errorf("-update leaves %q", text)
	}
}
