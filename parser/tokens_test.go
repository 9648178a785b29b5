package parser

import (
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lvsd/lvsd/config"
)

// TestTokens reads the project's list of the words of line languages. Each
// line is read without a mistake, and means something else, or nothing,
// when the word is misspelt.
func TestTokens(t *testing.T) {
	list, err := os.ReadFile(filepath.Join("..", "testdata", "tokens.txt"))
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for row := range strings.Lines(string(list)) {
		if strings.HasPrefix(row, "#") {
			continue
		}
		fields := strings.Split(strings.TrimSuffix(row, "\n"), "\t")
		if len(fields) != 3 {
			t.Fatalf("tokens.txt: %q has not three columns", row)
		}
		block, token, line := fields[0], fields[1], fields[2]
		rows++
		t.Run(block+" "+token, func(t *testing.T) {
			text := surrounding(t, block, line)
			right, problems := read(t, text)
			if len(problems) > 0 && !slices.Contains(complainedOf, token) {
				t.Errorf("%q: %v", line, problems)
			}
			misspelt := ""
			if words := strings.Fields(line); !strings.ContainsAny(token, "<A") {
				for i, word := range words {
					if word == token || slices.Contains(strings.Split(token, "|"), word) {
						words[i] = "zz" + word
					}
				}
				misspelt = strings.Join(words, " ")
			}
			wrong, problems := read(t, strings.Replace(text, line, misspelt, 1))
			if len(problems) == 0 && same(right, wrong) {
				t.Errorf("%q and %q mean the same", line, misspelt)
			}
		})
	}
	if rows < 266 {
		t.Errorf("%d rows: the list has lost some", rows)
	}
}

// complainedOf are words that keepalived itself finds fault with.
var complainedOf = []string{"gw", "or", "as"}

// surrounding is a configuration with a line in its block, and with all that
// the line may name.
func surrounding(t *testing.T, block, line string) string {
	t.Helper()
	outer, name := path.Split(block)
	body := "\n" + name + " {\n" + line + "\n}\n"
	in := func(keyword, text string) string {
		if outer == keyword+"/" {
			return text + body
		}
		return text
	}
	switch name {
	case "use_vmac", "use_ipvlan":
		body = "\n" + line + "\n"
	case "entry":
		body = "\n" + line + "\n"
	case "group":
		if outer == "vrrp_sync_group/" {
			body = "\ngroup {\nV2\n" + line + "\n}\n"
		}
	case "interfaces":
		body = "\ngarp_interval 1" + body
	}
	var b strings.Builder
	b.WriteString("global_defs {\nenable_script_security\nscript_user root" + in("global_defs", "") + "\n}\n")
	b.WriteString("track_group T {\n" + in("track_group", "") + "\n}\n")
	b.WriteString("vrrp_script check {\nscript /bin/true\n}\ntrack_file load {\nfile /run/load\n}\nvrrp_track_process sshd {\nprocess sshd\n}\nbfd_instance peer {\nneighbor_ip 10.0.0.7\n}\n")
	if outer == "" {
		b.WriteString(body)
	}
	if outer == "garp_group/" {
		b.WriteString("garp_group {" + body + "}\n")
	}
	if outer == "virtual_server_group/" {
		b.WriteString("virtual_server_group G {" + body + "}\n")
	}
	addresses := "\nvirtual_ipaddress {\n10.0.0.1\n}\n"
	if name == "virtual_ipaddress" {
		addresses = ""
	}
	b.WriteString("vrrp_instance V1 {\ninterface eth0\nvirtual_router_id 1" + addresses + in("vrrp_instance", "") + "}\n")
	b.WriteString("vrrp_instance V2 {\ninterface bond0\nvirtual_router_id 2\nvirtual_ipaddress {\n10.0.1.1\n}\n}\n")
	if members := "group {\nV1\nV2\n}\n"; outer == "vrrp_sync_group/" && name == "group" {
		b.WriteString("vrrp_sync_group G {" + body + "}\n")
	} else {
		b.WriteString("vrrp_sync_group G {\nsync_group_tracking_weight\n" + members + in("vrrp_sync_group", "") + "}\n")
	}
	return b.String()
}

func read(t *testing.T, text string) (*config.Config, []config.Problem) {
	t.Helper()
	c, problems, err := Load(Options{File: "main", Files: Memory{"main": text}, Environment: bench{}})
	if err != nil {
		t.Fatal(err)
	}
	return c, slices.DeleteFunc(problems, func(p config.Problem) bool { return p.Class == config.ClassNone || p.Code == "lonely-member" })
}

// same compares configurations without the places of their parts.
func same(a, b *config.Config) bool {
	return cmp.Equal(a, b, cmpopts.IgnoreTypes(config.Origin{}), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, netip.AddrPort{}))
}

// TestSyntax: what comes before the keywords. Each text is one instance with
// number 51, and nothing is said about it.
func TestSyntax(t *testing.T) {
	const head, tail = "vrrp_instance V {\ninterface eth0\n", "virtual_ipaddress {\n10.0.0.1\n}\n}\n"
	vrid := func(text string) string { return head + text + "\n" + tail }
	files := Memory{"one.inc": "virtual_router_id 51\n", "two.inc": "priority 7\n", "here.inc": "virtual_router_id 51\n"}
	for construct, text := range map[string]string{
		"include":                    vrid("include one.inc"),
		"includer":                   vrid("includer one.inc"),
		"includem":                   vrid("includem one.inc"),
		"includew":                   vrid("includew *ne.inc"),
		"includeb":                   vrid("includeb {one,two}.inc"),
		"includea":                   vrid("includea {one,two}.inc"),
		"include_check":              "global_defs {\ninclude_check match\n}\n" + vrid("include one.inc"),
		"@ID":                        vrid("@here virtual_router_id 51\n@there virtual_router_id 52"),
		"@^ID":                       vrid("@^there virtual_router_id 51\n@^here virtual_router_id 52"),
		"$NAME=":                     vrid("$ID=51\nvirtual_router_id $ID"),
		"$NAME=\\":                   "$BODY=" + `interface eth0 \` + "\nvirtual_router_id 51\nvrrp_instance V {\n$BODY\n" + tail,
		"${NAME}":                    vrid("$A=virtual\n${A}_router_id 51"),
		"nested definitions":         vrid("$B=$A\n$A=51\nvirtual_router_id $B"),
		"${_RANDOM MIN MAX}":         vrid("virtual_router_id ${_RANDOM 51 51}"),
		"${_PWD}":                    vrid("virtual_router_id 51 # ${_PWD}"),
		"${_INSTANCE}":               vrid("include ${_INSTANCE}.inc"),
		"${_HASH}":                   vrid("virtual_router_id 51 ${_HASH} 52"),
		"${_BANG}":                   vrid("virtual_router_id 51 ${_BANG} 52"),
		"${_ENV NAME}":               vrid("virtual_router_id ${_ENV VRID}"),
		"~SEQ":                       vrid("~SEQ(ID, 49, 51) virtual_router_id $ID"),
		"~SEQ step":                  vrid("~SEQ(ID, 47, 2, 51) virtual_router_id $ID"),
		"~SEQx":                      vrid("$P=5\n~SEQx(ID, 0, 1) virtual_router_id $P$ID"),
		"~LST":                       vrid("~LST(ID, 50, 51) virtual_router_id $ID"),
		"~LST of several":            vrid("~LST({A, B}, {priority, 3}, {virtual_router_id, 51}) $A $B"),
		"!":                          vrid("virtual_router_id 51 ! 52"),
		"#":                          vrid("virtual_router_id 51# 52"),
		"comment in quotes":          vrid("virtual_router_id 51\nauthentication {\nauth_type PASS\nauth_pass \"a#b!c\"\n}"),
		"\"...\"":                    vrid(`virtual_router_id "51"`),
		"'...' and \\ in scripts":    vrid("virtual_router_id 51\n" + `notify "/bin/true 'a b' \"c\" \\d" root`),
		"brace on the next line":     "vrrp_instance V\n{\ninterface eth0\nvirtual_router_id 51\n" + tail,
		"brace without a blank":      "vrrp_instance V{\ninterface eth0\nvirtual_router_id 51\n" + tail,
		"block on one line":          "vrrp_instance V { interface eth0\nvirtual_router_id 51\nvirtual_ipaddress { 10.0.0.1 } }",
		"blank lines":                vrid("\n \t\n\nvirtual_router_id 51\n"),
		"CRLF":                       strings.ReplaceAll(vrid("virtual_router_id 51"), "\n", "\r\n"),
		"no newline at the end":      strings.TrimSuffix(vrid("virtual_router_id 51"), "\n"),
		"UTF-8":                      vrid("virtual_router_id 51 # für 日本"),
		"a line of almost 1023 byte": vrid("virtual_router_id 51 #" + strings.Repeat("x", 1000)),
	} {
		t.Run(construct, func(t *testing.T) {
			all := Memory{"main": text}
			for name, content := range files {
				all[name] = content
			}
			c, problems, err := Load(Options{
				File: "main", Files: all, ConfigID: "here", Environment: bench{}, Getenv: func(name string) string { return map[string]string{"VRID": "51"}[name] },
			})
			if err != nil {
				t.Fatal(err)
			}
			problems = slices.DeleteFunc(problems, func(p config.Problem) bool { return p.Code == "script-security" })
			if len(problems) > 0 || len(c.Instances) != 1 || c.Instances[0].VirtualRouterID != 51 {
				t.Errorf("%d instances, %v", len(c.Instances), problems)
			}
		})
	}
}
