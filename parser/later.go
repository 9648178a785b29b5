package parser

// notYet is the rest of the language: the keywords of each block that lvsd
// knows and does not act on. A name that ends in { is a block; one that is no
// key here holds lines of values. What begins to be acted on moves from here
// into a row.
var notYet = map[string]string{}
