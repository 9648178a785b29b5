package parser

import (
	"slices"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// Keyword is a keyword of the language.
type Keyword struct {
	Block   string // path of the block it stands in, / for the top level: vrrp_instance/authentication
	Name    string
	ActedOn bool // false: read into the model, with a note
	Opens   bool // a block belongs to it
	Values  bool // of values, one a line, instead of keywords
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
		all = append(all, Keyword{Block: pathName(b.path), Name: name, ActedOn: !r.unused, Opens: r.block, Values: r.values})
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

// nearest is the name that a misspelt word was meant to be, if it is clear:
// at most a third of its letters differ.
func nearest(word string, names []string) string {
	best, distance := "", 1+len(word)/3
	slices.Sort(names)
	for _, name := range names {
		if d := editDistance(word, name, distance); d < distance {
			best, distance = name, d
		}
	}
	return best
}

// editDistance is the number of letters to insert, delete, replace or swap;
// limit when it is that or more.
func editDistance(a, b string, limit int) int {
	if len(a) > 64 || len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	var before []int
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev = prev, row
	}
	return min(prev[len(b)], limit)
}
