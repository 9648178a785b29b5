package parser

import (
	"bytes"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/golden"
)

// schemaBlocks are the definitions of the schema that are blocks of the
// language, and the keys that these have and that are no keywords there.
var schemaBlocks = []struct{ definition, blocks, others string }{
	{"", "/", "version"},
	{"global", "global_defs", "origin allow_if_changes lvs_flush_on_stop_vs vrrp_rx_bufs_size"},
	{"instance", "vrrp_instance", "origin name"},
	{"authentication", "vrrp_instance/authentication", ""},
	{"auth_hmac", "vrrp_instance/auth_hmac", "origin"},
	{"sync_group", "vrrp_sync_group", "origin name"},
	{"track_script", "vrrp_script", "origin name reverse"},
	{"track_file", "track_file", "origin name reverse overwrite"},
	{"track_process", "vrrp_track_process", "origin name reverse"},
	{"track_group", "track_group", "origin name"},
	{"garp_group", "garp_group", "origin"},
	{"bfd_instance", "bfd_instance", "origin name reverse"},
	{"ssl", "SSL", "origin"},
	{"virtual_server", "virtual_server", "origin ip port fwmark group tunnel sched_flags persistence_netmask log_all_failures"},
	{"real_server", "virtual_server/real_server", "origin ip port tunnel checks log_all_failures"},
	{"check", "virtual_server/real_server/*", "origin kind reverse reply reply_mask"},
	{"url", "virtual_server/real_server/SSL_GET/url", "origin"},
}

func schemaOf(t *testing.T) map[string]any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(config.JSONSchema(), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestJSONKeys: the keys of the JSON form are keywords of keepalived.conf.
func TestJSONKeys(t *testing.T) {
	schema := schemaOf(t)
	for _, b := range schemaBlocks {
		keywords := map[string]bool{}
		for _, k := range Keywords() {
			if k.Block == b.blocks || strings.HasSuffix(b.blocks, "*") && strings.HasPrefix(k.Block, strings.TrimSuffix(b.blocks, "*")) {
				keywords[k.Name] = true
			}
		}
		object := schema
		if b.definition != "" {
			object, _ = schema["$defs"].(map[string]any)[b.definition].(map[string]any)
		}
		if object == nil || len(keywords) == 0 {
			t.Errorf("%s: no such definition, or no such block", b.definition)
			continue
		}
		others := strings.Fields(b.others)
		for key := range object["properties"].(map[string]any) {
			if other := slices.Contains(others, key); keywords[key] == other {
				t.Errorf("%s: %s is a keyword of %s, and listed as none: %t", b.definition, key, b.blocks, other)
			}
		}
	}
}

// closed forbids keys that the schema does not name.
func closed(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		if s["properties"] != nil {
			s["additionalProperties"] = false
		}
		for value := range maps.Values(s) {
			closed(value)
		}
	case []any:
		for _, value := range s {
			closed(value)
		}
	}
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema := schemaOf(t)
	closed(schema)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema", schema); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t *testing.T, s *jsonschema.Schema, c *config.Config) []byte {
	t.Helper()
	text := c.JSON(config.JSONOptions{Origins: true, Secrets: true})
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(value); err != nil {
		t.Errorf("%v", err)
	}
	return text
}

func TestJSONConf(t *testing.T) {
	s := compiled(t)
	for _, file := range confFiles(t) {
		c, _, err := Load(Options{File: file, ConfigID: "here", Environment: bench{}})
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(file), func(t *testing.T) { valid(t, s, c) })
	}
}

func TestJSONCorpus(t *testing.T) {
	s := compiled(t)
	eachOfCorpus(t, func(t *testing.T, file string) {
		if c, _, err := Load(Options{File: file, Environment: bench{}}); err == nil {
			valid(t, s, c)
		}
	})
}

// TestJSONSchemaRejects: what is not the form is not taken for it.
func TestJSONSchemaRejects(t *testing.T) {
	s := compiled(t)
	c, _, err := Load(Options{File: "../testdata/model/everything.conf", Environment: bench{}})
	if err != nil {
		t.Fatal(err)
	}
	text := string(valid(t, s, c))
	for good, bad := range map[string]string{
		`"state": "MASTER"`: `"state": "MESTER"`, `"version": 1`: `"version": 2`, `"advert_int": 1,`: `"advert_int": "1",`, `"child_wait_time"`: `"child_wait"`,
		`"prefix": "fe80::52/64"`: `"prefix": "fe80::52"`, `"200"`: `"2xx"`, `"group": "224.0.0.81"`: `"group": "224.0.0"`,
	} {
		changed := strings.Replace(text, good, bad, 1)
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(changed))
		if err != nil || changed == text {
			t.Fatalf("%s: %v", good, err)
		}
		if s.Validate(value) == nil {
			t.Errorf("%s passes", bad)
		}
	}
}

// TestJSON shows the form: one file with something of everything.
func TestJSON(t *testing.T) {
	c, problems, err := Load(Options{File: "../testdata/model/everything.conf", Environment: bench{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if p.Severity == config.Error && p.Code != "iptables" { // which is always complained of
			t.Error(p)
		}
	}
	golden.Equal(t, "../testdata/model/everything.json", string(c.JSON(config.JSONOptions{})))
}

// TestJSONSchema: the published schema is that of the code.
func TestJSONSchema(t *testing.T) {
	golden.Equal(t, "../docs/config.schema.json", string(config.JSONSchema()))
}

func TestJSONSecrets(t *testing.T) {
	text := `SSL { password hidden }
vrrp_instance V { interface eth0 virtual_router_id 1 authentication { auth_type PASS auth_pass hidden } }
vrrp_instance W { interface eth1 virtual_router_id 2 auth_hmac { key 1 ` + strings.Repeat("hidden", 6) + ` active_key 1 } }`
	c, _, err := Load(Options{File: "main", Files: Memory{"main": strings.NewReplacer("{ ", "{\n", " }", "\n}", " virtual_r", "\nvirtual_r", " auth", "\nauth", " active", "\nactive").Replace(text)}})
	if err != nil {
		t.Fatal(err)
	}
	masked, shown := string(c.JSON(config.JSONOptions{})), string(c.JSON(config.JSONOptions{Secrets: true}))
	if strings.Contains(masked, "hidden") || strings.Count(masked, `"********"`) != 3 || strings.Count(shown, `"hidden`) != 3 {
		t.Errorf("masked: %s\nshown: %s", masked, shown)
	}
}
