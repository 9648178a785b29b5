package config

import (
	"fmt"
	"slices"
	"strings"
)

// Nearest is the name that a misspelt word was meant to be, if it is clear: the
// same in other letters of case, or at most a third of the letters differ.
// Quotes around the word do not count. eth1 is another interface than eth2, not
// a misspelt one. It is empty when no name is near.
func Nearest(word string, names []string) string {
	word = strings.Trim(word, "'\",;")
	best, distance := "", 1+len(word)/3
	names = slices.Sorted(slices.Values(names))
	for _, name := range names {
		if strings.EqualFold(word, name) {
			return name
		}
		if d := editDistance(word, name, distance); d < distance && !counted(word, name) {
			best, distance = name, d
		}
	}
	return best
}

// counted reports two names that differ in their numbers only.
func counted(a, b string) bool {
	letters := func(s string) string { return strings.Map(dropDigit, s) }
	return len(letters(a)) < len(a) && len(letters(b)) < len(b) && letters(a) == letters(b)
}

func dropDigit(r rune) rune {
	if r >= '0' && r <= '9' {
		return -1
	}
	return r
}

// DidYouMean is the hint for a misspelt word; empty when no name is near.
func DidYouMean(word string, names []string) string {
	if near := Nearest(word, names); near != "" {
		return fmt.Sprintf("did you mean '%s'?", near)
	}
	return ""
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

// names are those of the elements of a list.
func names[T any](list []T, name func(*T) string) []string {
	all := make([]string, 0, len(list))
	for i := range list {
		all = append(all, name(&list[i]))
	}
	return all
}
