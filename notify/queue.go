package notify

// queue holds what is still to be told about an object, the oldest first. It
// is bounded; what it gives up is never the last state.
type queue struct {
	object  Object
	pending []Event
}

// push appends an event. A second one of those that repeat is not kept. When
// the queue is full its oldest event is given up and returned.
func (q *queue) push(e Event) (skipped Event, ok bool) {
	if e.Repeats {
		for i := range q.pending {
			if q.pending[i].Repeats && q.pending[i].What == e.What {
				return Event{}, false
			}
		}
		if len(q.pending) == QueueLength {
			return e, true
		}
	}
	if len(q.pending) == QueueLength {
		skipped, ok = q.pending[0], true
		q.pending = append(q.pending[:0], q.pending[1:]...)
	}
	q.pending = append(q.pending, e)
	return skipped, ok
}

func (q *queue) pop() (e Event, ok bool) {
	if len(q.pending) == 0 {
		return Event{}, false
	}
	e = q.pending[0]
	q.pending = append(q.pending[:0], q.pending[1:]...)
	return e, true
}

// keepLast gives up everything but the last state.
func (q *queue) keepLast() (skipped []Event) {
	last := len(q.pending) - 1
	for last > 0 && q.pending[last].Repeats {
		last--
	}
	if last < 0 {
		return nil
	}
	for i, e := range q.pending {
		if i != last {
			skipped = append(skipped, e)
		}
	}
	q.pending = []Event{q.pending[last]}
	return skipped
}
