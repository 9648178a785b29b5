package checker

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Whatever is put, moved and dropped, the one that is due next is in front.
func TestAgenda(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var a agenda
	jobs := make([]*job, 300)
	var want []time.Duration
	for i := range jobs {
		jobs[i] = new(job)
	}
	for range 5000 {
		j := jobs[random.IntN(len(jobs))]
		if random.IntN(4) == 0 {
			a.drop(j)
			continue
		}
		j.due = time.Duration(random.IntN(1000))
		a.put(j)
	}
	for _, j := range jobs {
		if j.place > 0 {
			want = append(want, j.due)
		}
	}
	slices.Sort(want)
	var got []time.Duration
	for len(a) > 0 {
		j := a[0]
		got = append(got, j.due)
		a.drop(j)
		if j.place != 0 {
			t.Fatal("it has been dropped and is there")
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("due at %v, want %v", got, want)
	}
}
