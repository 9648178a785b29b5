package parser

import (
	"io"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lvsd/lvsd/config"
)

// The part of SARIF 2.1.0 that a test of a configuration needs, see
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html.
const (
	sarifVersion = "2.1.0"
	sarifSchema  = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool        sarifTool         `json:"tool"`
	Invocations []sarifInvocation `json:"invocations"`
	ColumnKind  string            `json:"columnKind"`
	Results     []sarifResult     `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID    string    `json:"id"`
	Short sarifText `json:"shortDescription"`
	Full  sarifText `json:"fullDescription"`
	Help  sarifText `json:"help"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifInvocation struct {
	ExecutionSuccessful bool `json:"executionSuccessful"`
	ExitCode            int  `json:"exitCode"`
}

type sarifResult struct {
	RuleID     string          `json:"ruleId"`
	RuleIndex  int             `json:"ruleIndex"`
	Level      string          `json:"level"`
	Message    sarifText       `json:"message"`
	Locations  []sarifLocation `json:"locations"`
	Related    []sarifLocation `json:"relatedLocations,omitempty"`
	Properties *sarifHint      `json:"properties,omitempty"`
}

type sarifHint struct {
	Hint string `json:"hint"`
}

type sarifLocation struct {
	Physical sarifPhysical `json:"physicalLocation"`
	Message  *sarifText    `json:"message,omitempty"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   *sarifRegion  `json:"region,omitempty"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

// sarifRegion counts from 1; columns are those of characters.
type sarifRegion struct {
	StartLine   int        `json:"startLine"`
	StartColumn int        `json:"startColumn"`
	EndColumn   int        `json:"endColumn,omitempty"` // of the first character behind
	Snippet     *sarifText `json:"snippet,omitempty"`
}

// WriteSARIF writes the report as a SARIF 2.1.0 log with one run.
func (r *Report) WriteSARIF(w io.Writer) error {
	rules, index := r.rules()
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: "lvsd", Version: r.Version, Rules: rules}},
		Invocations: []sarifInvocation{{ExecutionSuccessful: true, ExitCode: r.Status}},
		ColumnKind:  "unicodeCodePoints", Results: []sarifResult{},
	}
	for i := range r.Problems {
		p := &r.Problems[i]
		result := sarifResult{
			RuleID: p.Code, RuleIndex: index[p.Code], Level: p.Severity.String(), Message: sarifText{p.Message}, Locations: []sarifLocation{},
		}
		if p.Hint != "" {
			result.Message.Text += " (" + p.Hint + ")"
			result.Properties = &sarifHint{p.Hint}
		}
		if p.Origin.File != "" {
			result.Locations = []sarifLocation{{Physical: physical(p.Origin, p.Source)}}
		}
		for _, o := range p.Chain {
			result.Related = append(result.Related, sarifLocation{physical(o, ""), &sarifText{"read because of this line"}})
		}
		run.Results = append(run.Results, result)
	}
	return writeIndented(w, sarifLog{Schema: sarifSchema, Version: sarifVersion, Runs: []sarifRun{run}})
}

// rules are the codes of the problems, and where each is in the list.
func (r *Report) rules() ([]sarifRule, map[string]int) {
	index := map[string]int{}
	for i := range r.Problems {
		index[r.Problems[i].Code] = 0
	}
	rules := []sarifRule{}
	for n, code := range slices.Sorted(maps.Keys(index)) {
		index[code] = n
		text := explanations[code].text
		help, _ := Explain(code)
		short, _, _ := strings.Cut(text, ". ")
		rules = append(rules, sarifRule{ID: code, Short: sarifText{strings.TrimSuffix(short, ".") + "."}, Full: sarifText{text}, Help: sarifText{help}})
	}
	return rules, index
}

func physical(o config.Origin, source string) sarifPhysical {
	p := sarifPhysical{Artifact: sarifArtifact{fileURI(o.File)}}
	if o.Line < 1 {
		return p
	}
	p.Region = &sarifRegion{StartLine: int(o.Line), StartColumn: max(int(o.Column), 1)}
	if source == "" {
		return p
	}
	at := min(max(int(o.Column)-1, 0), len(source))
	p.Region.StartColumn = 1 + utf8.RuneCountInString(source[:at])
	if word := wordOf(source[at:]); word != "" {
		p.Region.EndColumn = p.Region.StartColumn + utf8.RuneCountInString(word)
	}
	p.Region.Snippet = &sarifText{source}
	return p
}

// wordOf is the word that a text begins with: a quoted one with its quotes.
func wordOf(text string) string {
	if strings.HasPrefix(text, `"`) {
		if end := strings.IndexByte(text[1:], '"'); end >= 0 {
			return text[:end+2]
		}
	}
	return firstWord(text)
}

// fileURI is a path as a reference: absolute ones with the scheme file, others
// relative to where lvsd was called.
func fileURI(name string) string {
	if path.IsAbs(name) {
		return (&url.URL{Scheme: "file", Path: name}).String()
	}
	return (&url.URL{Path: name}).String()
}
