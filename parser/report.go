package parser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/lvsd/lvsd/config"
)

// Report is the outcome of a test of a configuration in forms for programs.
type Report struct {
	Problems []config.Problem
	Status   int    // the exit status of the test
	Version  string // of lvsd
}

// ReportVersion is the version of the JSON form. It grows when a field goes or
// changes its meaning, not when one is added.
const ReportVersion = 1

// jsonReport is the JSON form. Every field is always there.
type jsonReport struct {
	Version  int           `json:"version"`
	Status   int           `json:"status"`
	Summary  jsonSummary   `json:"summary"`
	Problems []jsonProblem `json:"problems"`
}

type jsonSummary struct {
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Notes    int `json:"notes"`
}

type jsonProblem struct {
	jsonPlace
	Severity string      `json:"severity"`
	Code     string      `json:"code"`
	Message  string      `json:"message"`
	Hint     string      `json:"hint"`
	Chain    []jsonPlace `json:"chain"`
	Source   string      `json:"source"`
}

// jsonPlace is a place in a file; line and column count from 1, columns in
// bytes. All is zero for the configuration as a whole.
type jsonPlace struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

func jsonPlaceOf(o config.Origin) jsonPlace {
	if o.Line == 0 {
		return jsonPlace{File: o.File}
	}
	return jsonPlace{o.File, int(o.Line), int(o.Column)}
}

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	counts := r.counts()
	out := jsonReport{
		Version: ReportVersion, Status: r.Status, Problems: []jsonProblem{},
		Summary: jsonSummary{counts[config.Error], counts[config.Warning], counts[config.Note]},
	}
	for i := range r.Problems {
		p := &r.Problems[i]
		chain := []jsonPlace{}
		for _, o := range p.Chain {
			chain = append(chain, jsonPlaceOf(o))
		}
		out.Problems = append(out.Problems, jsonProblem{
			jsonPlace: jsonPlaceOf(p.Origin), Severity: p.Severity.String(), Code: p.Code, Message: p.Message, Hint: p.Hint,
			Chain: chain, Source: p.Source,
		})
	}
	return writeIndented(w, out)
}

func (r *Report) counts() (counts [3]int) {
	for i := range r.Problems {
		counts[r.Problems[i].Severity]++
	}
	return counts
}

func writeIndented(w io.Writer, v any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode the problems: %w", err)
	}
	_, err := w.Write(text.Bytes())
	return err
}
