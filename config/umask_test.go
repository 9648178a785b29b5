package config

import "testing"

func TestParseUmask(t *testing.T) {
	for text, want := range map[string]uint16{
		"022": 0o22, "18": 0o22, "0x12": 0o22, "0": 0, "0177": 0o177, "IRWXG|IRWXO": 0o77, "IWGRP | IWOTH": 0o22, "IXUSR": 0o100, "": 0,
	} {
		if got, err := ParseUmask(text); err != nil || got != want {
			t.Errorf("%q: %#o %v, want %#o", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"01000": "invalid umask value 01000", "08": "invalid umask value 08", "1x": "invalid umask value 1x", "IRWXG|XX": "Unknown umask bit XX", "-1": "Unknown umask bit -1",
	} {
		if _, err := ParseUmask(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
