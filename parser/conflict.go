package parser

import (
	"strings"

	"github.com/lvsd/lvsd/config"
)

const conflictHint = "git left this mark of a conflict of two versions: choose one of them and remove the marks"

// conflicts finds the marks that git leaves around a conflict. A problem of
// such a line is named after it; a mark that nobody complained about is a
// problem of its own.
func (d *decoder) conflicts() {
	marks := map[string]map[int32]string{}
	for _, file := range d.src.order {
		if m := conflictMarks(d.src.texts[file]); m != nil {
			marks[file] = m
		}
	}
	if len(marks) == 0 {
		return
	}
	said := map[config.Origin]bool{}
	for i := range d.problems {
		p := &d.problems[i]
		if _, is := marks[p.Origin.File][p.Origin.Line]; is {
			p.Code, p.Hint = "conflict-marker", conflictHint
			said[config.Origin{File: p.Origin.File, Line: p.Origin.Line}] = true
		}
	}
	for file, lines := range marks {
		for n, text := range lines {
			if !said[config.Origin{File: file, Line: n}] {
				d.problems = append(d.problems, config.Problem{
					Origin: config.Origin{File: file, Line: n, Column: 1}, Severity: config.Warning, Code: "conflict-marker",
					Message: "'" + text + "' is no part of a configuration", Hint: conflictHint,
				})
			}
		}
	}
}

// conflictMark reports a line that begins like a mark.
func conflictMark(line string) bool {
	if len(line) < 7 || strings.IndexByte("<=>|", line[0]) < 0 {
		return false
	}
	return strings.Trim(line[:7], line[:1]) == "" && (len(line) == 7 || strings.IndexByte(" \r\n", line[7]) >= 0)
}

// conflictMarks are the lines of a text that are marks: seven signs, and a
// blank or the end of the line behind them. One of = counts only between the
// others.
func conflictMarks(text string) map[int32]string {
	if !strings.Contains(text, "<<<<<<<") {
		return nil
	}
	var marks map[int32]string
	n, open := int32(0), false
	for line := range strings.Lines(text) {
		n++
		if !conflictMark(line) {
			continue
		}
		switch line[0] {
		case '<':
			open = true
		case '>':
			if !open {
				continue
			}
			open = false
		default:
			if !open {
				continue
			}
		}
		if marks == nil {
			marks = map[int32]string{}
		}
		marks[n] = line[:7]
	}
	return marks
}
