//go:build linux

package supervisor

import (
	"fmt"
	"slices"
	"testing"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/internal/kernel"
	"github.com/lvsd/lvsd/vrrp"
)

func TestLinks(t *testing.T) {
	var told []string
	l := newLinks(zap.NewNop(), func(c vrrp.LinkChanged) {
		told = append(told, fmt.Sprintf("%s exists=%t up=%t", c.Link, c.Exists, c.Up))
	})
	l.beat("eth0") // of a link that nobody has heard of
	l.changed(kernel.Link{Name: "eth0", Exists: true, Up: true})
	l.beat("eth0")
	l.changed(kernel.Link{Name: "eth0"})
	l.beat("eth0")
	want := []string{"eth0 exists=true up=true", "eth0 exists=true up=true", "eth0 exists=false up=false"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}
