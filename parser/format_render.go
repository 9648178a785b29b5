package parser

import (
	"strings"
	"unicode/utf8"
)

const (
	indent    = "    "
	maxIndent = 16 // levels: deeper lines are not indented further
	// maxAligned is the width of lines whose comments are aligned
	maxAligned = 100
)

// render is the text of the lines. Comments behind lines that follow each
// other are aligned.
func (f *layout) render() string {
	var b strings.Builder
	for from := 0; from < len(f.lines); {
		to := f.commented(from)
		width := 0
		for _, l := range f.lines[from:to] {
			width = max(width, l.width())
		}
		for _, l := range f.lines[from:to] {
			l.render(&b, width)
		}
		if to == from {
			f.lines[from].render(&b, 0)
			to++
		}
		from = to
	}
	return b.String()
}

// commented is the end of the lines from here on whose comments are aligned.
func (f *layout) commented(from int) int {
	to := from
	for to < len(f.lines) && f.lines[to].depth == f.lines[from].depth && f.lines[to].alignable() {
		to++
	}
	return to
}

func (l *laidLine) alignable() bool {
	return l.aligned && l.comment != "" && l.width() <= maxAligned && l.length() < maxPhysical-maxAligned
}

// width is that of the code on a screen.
func (l *laidLine) width() int { return utf8.RuneCountInString(l.code) }

// length is that of the line in bytes, without its indentation.
func (l *laidLine) length() int { return len(l.code) + 1 + len(l.comment) }

func (l *laidLine) render(b *strings.Builder, width int) {
	text := l.code
	if l.comment != "" {
		if pad := width - l.width(); text != "" && pad > 0 {
			text += strings.Repeat(" ", pad)
		}
		text = trimLeft(text + " " + l.comment)
	}
	if text != "" {
		text = strings.Repeat(indent, min(l.depth, maxIndent)) + text
	}
	if l.verbatim || len(text) >= maxPhysical && l.raw != "" {
		text = l.raw
	}
	b.WriteString(text)
	b.WriteByte('\n')
}
