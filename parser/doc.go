// Package parser turns a keepalived.conf into a [config.Config] and a list of
// problems. An error never stops it and it never panics; only a file that
// cannot be read is an error of Go.
//
// keepalived.conf is line-based before it is token-based, how a line splits
// into words depends on its keyword, and macros and conditions are textual.
// So there are four layers:
//
//	source.go   files -> logical lines: comments, includes, @id, $NAME
//	lexer.go    lines -> Line, LBrace, RBrace; stray braces reported and repaired
//	grammar.go  tokens -> statement = Line Block?, one of the top level at a time
//	schema*.go  statements -> values: a table with one row per keyword
//
// A line that is a small language of its own (a route, a tracker, a peer) has a
// participle grammar of its own in lines.go.
package parser
