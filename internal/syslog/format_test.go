package syslog

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/zap"
)

// structured logs a line that has fields for programs.
func structured(log *zap.Logger) {
	log.Named("vrrp").Info("(VI_1) Entering MASTER STATE", zap.String("VRRP_INSTANCE", "VI_1"), zap.String("VRRP_STATE", "MASTER"), zap.Int("tries", 2))
}

func TestFormats(t *testing.T) {
	for format, want := range map[Format]string{
		Keepalived: "Sat Jan  1 00:00:00 2000: Starting lvsd\n" +
			"Sat Jan  1 00:00:00 2000: (VI_1) Entering MASTER STATE\n" +
			"Sat Jan  1 00:00:00 2000: down server=[10.0.0.2]:tcp:80 error=\"no route\"\n" +
			"Sat Jan  1 00:00:00 2000: x n=1 after=1s empty=\"\"\n" +
			"Sat Jan  1 00:00:00 2000: two\\nlines \\x1b[31mred\n" +
			"Sat Jan  1 00:00:00 2000: (VI_1) Entering MASTER STATE tries=2\n",
		Text: "2000-01-01T00:00:00.000Z info keepalived: Starting lvsd\n" +
			"2000-01-01T00:00:00.000Z info vrrp: (VI_1) Entering MASTER STATE\n" +
			"2000-01-01T00:00:00.000Z warn healthcheckers: down server=[10.0.0.2]:tcp:80 error=\"no route\"\n" +
			"2000-01-01T00:00:00.000Z error bfd: x n=1 after=1s empty=\"\"\n" +
			"2000-01-01T00:00:00.000Z info keepalived: two\\nlines \\x1b[31mred\n" +
			"2000-01-01T00:00:00.000Z info vrrp: (VI_1) Entering MASTER STATE tries=2\n",
		JSON: `{"time":"2000-01-01T00:00:00.000Z","level":"info","logger":"keepalived","message":"Starting lvsd"}
{"time":"2000-01-01T00:00:00.000Z","level":"info","logger":"vrrp","message":"(VI_1) Entering MASTER STATE"}
{"time":"2000-01-01T00:00:00.000Z","level":"warn","logger":"healthcheckers","message":"down","server":"[10.0.0.2]:tcp:80","error":"no route"}
{"time":"2000-01-01T00:00:00.000Z","level":"error","logger":"bfd","message":"x","n":1,"after":"1s","empty":""}
{"time":"2000-01-01T00:00:00.000Z","level":"info","logger":"keepalived","message":"two\nlines \u001b[31mred"}
{"time":"2000-01-01T00:00:00.000Z","level":"info","logger":"vrrp","message":"(VI_1) Entering MASTER STATE","vrrp_instance":"VI_1","vrrp_state":"MASTER","tries":2}
`,
	} {
		synctest.Test(t, func(t *testing.T) {
			var b bytes.Buffer
			out := New(Options{Console: &b, Format: format})
			some(out.Logger())
			structured(out.Logger())
			if err := out.Run(ended()); err != nil {
				t.Error(err)
			}
			got := strings.ReplaceAll(b.String(), "+00:00", "Z")
			if got != want {
				t.Errorf("%q: got\n%swant\n%s", format, got, want)
			}
		})
	}
}

// Whatever is in a line, a program can read it.
func TestJSONIsValid(t *testing.T) {
	var b bytes.Buffer
	out := New(Options{Console: &b, Format: JSON})
	out.Logger().Info("\xff\x00\"\\"+strings.Repeat("x", 1<<20), zap.Any("channel", make(chan int)), zap.String("bytes", "\xfe"))
	if err := out.Run(ended()); err != nil {
		t.Error(err)
	}
	if !json.Valid(b.Bytes()) || strings.Count(b.String(), "\n") != 1 || b.Len() > maxText+500 {
		t.Errorf("%d bytes: %.200s", b.Len(), b.String())
	}
}

func TestParseFormat(t *testing.T) {
	for s, want := range map[string]Format{"": Keepalived, "keepalived": Keepalived, "text": Text, "json": JSON} {
		if f, err := ParseFormat(s); err != nil || f != want {
			t.Errorf("%q: %q, %v", s, f, err)
		}
	}
	if _, err := ParseFormat("yaml"); err == nil {
		t.Error("yaml is a format")
	}
}
