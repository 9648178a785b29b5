package vrrp

import "container/heap"

// deadlines are the groups, the one whose deadline comes first on top. A group
// without a deadline comes last.
type deadlines struct {
	all   []*group
	index map[*group]int
}

func newDeadlines(groups []*group) deadlines {
	d := deadlines{all: groups, index: make(map[*group]int, len(groups))}
	for i, g := range groups {
		d.index[g] = i
	}
	heap.Init(&d)
	return d
}

// first is the group to be served next, nil when there is none.
func (d *deadlines) first() *group {
	if len(d.all) == 0 {
		return nil
	}
	return d.all[0]
}

// moved puts a group in its place after its deadline has changed.
func (d *deadlines) moved(g *group) {
	if i, ok := d.index[g]; ok {
		heap.Fix(d, i)
	}
}

// Len implements [heap.Interface].
func (d *deadlines) Len() int { return len(d.all) }

// Less implements [heap.Interface].
func (d *deadlines) Less(i, j int) bool {
	a, b := d.all[i].deadline, d.all[j].deadline
	if a.IsZero() || b.IsZero() {
		return !a.IsZero()
	}
	return a.Before(b)
}

// Swap implements [heap.Interface].
func (d *deadlines) Swap(i, j int) {
	d.all[i], d.all[j] = d.all[j], d.all[i]
	d.index[d.all[i]], d.index[d.all[j]] = i, j
}

// Push implements [heap.Interface]; the number of groups changes only with a
// reload, which builds the heap anew.
func (d *deadlines) Push(any) {}

// Pop implements [heap.Interface], see Push.
func (d *deadlines) Pop() any { return nil }
