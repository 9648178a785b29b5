package sim

import "time"

// entry is something that will happen: a timer of a group when g is set, an
// arrival when d is, else do.
type entry struct {
	at     time.Duration
	number uint64
	r      *router
	g      *group
	d      *arrival
	do     func()
}

func (a *entry) before(b *entry) bool {
	return a.at < b.at || a.at == b.at && a.number < b.number
}

// agenda is a heap of entries, the first one on top. container/heap would
// allocate for each.
type agenda struct {
	all    []entry
	number uint64
}

func (a *agenda) add(e entry) {
	a.number++
	e.number = a.number
	a.all = append(a.all, e)
	i := len(a.all) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !a.all[i].before(&a.all[up]) {
			break
		}
		a.all[i], a.all[up] = a.all[up], a.all[i]
		i = up
	}
}

func (a *agenda) take() entry {
	first := a.all[0]
	last := len(a.all) - 1
	a.all[0] = a.all[last]
	a.all[last] = entry{}
	a.all = a.all[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if a.all[child].before(&a.all[least]) {
				least = child
			}
		}
		if least == i {
			return first
		}
		a.all[i], a.all[least] = a.all[least], a.all[i]
		i = least
	}
}
