package origin

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestQueue_isInTheOrderOfArrival(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var model []uint64
		in := make(map[uint64]*visit)
		for range rapid.IntRange(0, 80).Draw(t, "steps") {
			seq := rapid.Uint64Range(1, 30).Draw(t, "seq")
			if v := in[seq]; v != nil {
				q.remove(v)
				delete(in, seq)
				model = slices.DeleteFunc(model, func(s uint64) bool { return s == seq })
			} else {
				v := &visit{seq: seq}
				if rapid.Bool().Draw(t, "special") {
					v.used = []string{"a"}
				}
				in[seq] = v
				model = append(model, seq)
				slices.Sort(model)
				if before, want := q.insert(v), slices.Index(model, seq); before != want {
					t.Fatalf("%d before %d, want %d", before, seq, want)
				}
			}
			var got, back []uint64
			special := 0
			for v := q.head; v != nil; v = v.next {
				got = append(got, v.seq)
				if v.special {
					special++
				}
			}
			for v := q.tail; v != nil; v = v.prev {
				back = append(back, v.seq)
			}
			slices.Reverse(back)
			if !slices.Equal(got, model) || !slices.Equal(back, model) || q.n != len(model) || q.special != special {
				t.Fatalf("forward %v, backward %v, n %d, special %d; want %v", got, back, q.n, q.special, model)
			}
		}
	})
}
