package vrrp

import "testing"

func TestUptime(t *testing.T) {
	if first, second := uptime(), uptime(); first <= 0 || second < first {
		t.Errorf("up for %s, then for %s", first, second)
	}
}
