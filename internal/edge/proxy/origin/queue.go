package origin

// queue is a list of waiting visits in the order of their arrival (seq). The
// zero value is empty. Not safe for concurrent use.
type queue struct {
	head, tail *visit
	n          int
	special    int // waiters who do not take every server
}

// insert puts v at its place and returns how many visits are before it. It
// looks from the tail, where new arrivals belong, and from the head for those
// that come back.
func (q *queue) insert(v *visit) (before int) {
	v.in = q
	v.special = len(v.used) > 0 || v.cookie != ""
	q.n++
	if v.special {
		q.special++
	}
	if q.tail == nil || q.tail.seq < v.seq {
		v.prev, v.next = q.tail, nil
		if q.tail == nil {
			q.head = v
		} else {
			q.tail.next = v
		}
		q.tail = v
		return q.n - 1
	}
	at := q.head
	for at.seq < v.seq {
		at = at.next
		before++
	}
	v.prev, v.next = at.prev, at
	if at.prev == nil {
		q.head = v
	} else {
		at.prev.next = v
	}
	at.prev = v
	return before
}

// remove takes v, which must be in q, out of it.
func (q *queue) remove(v *visit) {
	if v.prev == nil {
		q.head = v.next
	} else {
		v.prev.next = v.next
	}
	if v.next == nil {
		q.tail = v.prev
	} else {
		v.next.prev = v.prev
	}
	v.prev, v.next, v.in = nil, nil, nil
	q.n--
	if v.special {
		q.special--
	}
}
