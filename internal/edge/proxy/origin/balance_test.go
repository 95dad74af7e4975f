package origin

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func servers(shares ...int64) []*server {
	var list []*server
	for i, s := range shares {
		name := string(rune('a' + i))
		list = append(list, &server{name: name, hash: hash64(name), share: s * 1000})
	}
	return list
}

func TestRoundRobin_goesByTurnsSmoothly(t *testing.T) {
	list := servers(2, 1, 1)
	var got strings.Builder
	for range 8 {
		got.WriteString(roundRobin{}.pick(list, nil).name)
	}
	if got.String() != "abcaabca" {
		t.Errorf("turns %s, want abcaabca", got.String())
	}
}

func TestLeastRequests(t *testing.T) {
	b := leastRequests{rand.New(rand.NewPCG(1, 2))}
	t.Run("of two, the less busy one", func(t *testing.T) {
		list := servers(1, 1)
		list[0].inFlight = 3
		for range 100 {
			if s := b.pick(list, nil); s.name != "b" {
				t.Fatalf("picked %s with %d under way", s.name, s.inFlight)
			}
		}
	})
	t.Run("the busiest of many is never picked", func(t *testing.T) {
		list := servers(1, 1, 1, 1)
		list[2].inFlight = 9
		for range 1000 {
			if b.pick(list, nil).name == "c" {
				t.Fatal("picked the busiest")
			}
		}
	})
	t.Run("idle servers share by weight", func(t *testing.T) {
		list, n := servers(3, 1), map[string]int{}
		for range 10000 {
			n[b.pick(list, nil).name]++
		}
		if n["a"] < 7200 || n["a"] > 7800 {
			t.Errorf("weight 3 of 4 got %d of 10000", n["a"])
		}
	})
	t.Run("busy servers fill up by weight", func(t *testing.T) {
		list := servers(3, 1)
		for range 400 {
			b.pick(list, nil).inFlight++
		}
		if a := list[0].inFlight; a < 295 || a > 305 {
			t.Errorf("weight 3 of 4 has %d of 400 under way", a)
		}
	})
}

func TestHashing(t *testing.T) {
	b := newBalancer("hash", rand.New(rand.NewPCG(1, 2)))
	of := func(list []*server, i int) string {
		return b.pick(list, &visit{keyed: true, key: hash64(fmt.Sprintf("visitor-%d", i))}).name
	}
	full, counts := servers(1, 1, 2), map[string]int{}
	moved := 0
	for i := range 10000 {
		before := of(full, i)
		counts[before]++
		after := of(append(servers(1), full[2]), i) // b has gone
		if before != "b" && before != after {
			moved++
		}
	}
	if moved > 0 {
		t.Errorf("%d keys of servers that stayed have moved", moved)
	}
	if c := counts["c"]; c < 4800 || c > 5200 {
		t.Errorf("weight 2 of 4 has %d of 10000 keys", c)
	}
	if a := counts["a"]; a < 2300 || a > 2700 {
		t.Errorf("weight 1 of 4 has %d of 10000 keys", a)
	}
	if s := b.pick(full, &visit{}); s == nil {
		t.Error("a request without the key got no server")
	}
}

func BenchmarkHashing(b *testing.B) {
	list, p := servers(1, 1, 1), newBalancer("hash", nil)
	v := &visit{keyed: true}
	for b.Loop() {
		v.key++
		p.pick(list, v)
	}
}
