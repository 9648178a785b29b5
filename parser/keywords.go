package parser

import (
	"slices"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// Keyword is a keyword of the language.
type Keyword struct {
	Block  string // path of the block it stands in, / for the top level: vrrp_instance/authentication
	Name   string
	Opens  bool // a block belongs to it
	Values bool // of values, one a line, instead of keywords
}

// Keywords is the whole language, sorted.
func Keywords() []Keyword {
	s := newSchema()
	var all []Keyword
	all = appendRows(all, s.root)
	all = appendRows(all, s.global)
	all = appendRows(all, s.instance)
	all = appendRows(all, authenticationBlock())
	all = appendRows(all, authHMACBlock())
	all = appendRows(all, s.group)
	all = appendRows(all, s.script)
	all = appendRows(all, garpGroupBlock())
	all = appendRows(all, trackGroupBlock())
	all = appendRows(all, trackFileBlock("track_file"))
	all = appendRows(all, trackFileBlock("vrrp_track_file"))
	all = appendRows(all, trackProcessBlock())
	all = appendRows(all, bfdBlock())
	all = appendRows(all, s.service)
	all = appendRows(all, realServerBlock())
	all = appendRows(all, s.ssl)
	for _, check := range checkBlocks() {
		all = appendRows(all, check.block)
	}
	all = appendRows(all, smtpHostBlock())
	all = appendRows(all, urlBlock(config.HTTPGet))
	all = appendRows(all, urlBlock(config.SSLGet))
	slices.SortFunc(all, func(a, b Keyword) int {
		return strings.Compare(a.Block+"\t"+a.Name, b.Block+"\t"+b.Name)
	})
	return all
}

func appendRows[T any](all []Keyword, b *block[T]) []Keyword {
	for name, r := range b.rows {
		all = append(all, Keyword{Block: pathName(b.path), Name: name, Opens: r.block, Values: r.values})
	}
	return all
}

// opens says whether a keyword, with its path, has a block, and of what.
func (d *decoder) opens(path string) (values, ok bool) {
	if d.blocks == nil {
		d.blocks = map[string]bool{}
		for _, k := range Keywords() {
			if k.Opens {
				d.blocks[join(strings.TrimPrefix(k.Block, "/"), k.Name)] = k.Values
			}
		}
	}
	values, ok = d.blocks[path]
	return values, ok
}

func pathName(path string) string {
	if path == "" {
		return "/"
	}
	return path
}
