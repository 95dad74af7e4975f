package front

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	type look struct {
		after   time.Duration // since the look before
		took    uint64        // bytes since the look before
		waiting bool
	}
	repeat := func(n int, l look) (all []look) {
		for range n {
			all = append(all, l)
		}
		return all
	}
	const second = time.Second
	tests := []struct {
		name  string
		looks []look
		want  verdict
	}{
		{"a visitor that is not waited for may take nothing for ever", repeat(1000, look{5 * second, 0, false}), fine},
		{"a visitor that takes nothing for the idle time is stalled", append([]look{{0, 1 << 20, true}, {second, 1 << 20, true}}, repeat(12, look{2500 * time.Millisecond, 0, true})...), stalled},
		{"one byte within the idle time is not nothing", append([]look{{0, 1 << 20, true}, {second, 1 << 30, true}}, repeat(100, look{25 * second, 1 << 14, true})...), fine},
		{"an honest slow visitor goes on for hours", repeat(5000, look{2500 * time.Millisecond, 1300, true}), fine},
		{"a visitor below the least rate is slow after the grace", append([]look{{0, 0, true}}, repeat(4, look{2500 * time.Millisecond, 1000, true})...), slow},
		{"and not before", append([]look{{0, 0, true}}, repeat(3, look{2500 * time.Millisecond, 1000, true})...), fine},
		{"a fast beginning buys a pause", append([]look{{0, 0, true}, {second, 1 << 20, true}}, repeat(11, look{2500 * time.Millisecond, 0, true})...), fine},
		{"and no hour of trickling", append([]look{{0, 0, true}, {second, 1 << 30, true}}, repeat(200, look{20 * second, 100, true})...), slow},
		{"being not waited for once starts anew", append([]look{{0, 0, true}, {9 * second, 0, true}, {second, 0, false}}, repeat(4, look{2 * second, 10, true})...), fine},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := pace{idle: 30 * second, rate: 500, grace: 10 * second}
			now, taken, got := time.Now(), uint64(0), fine
			for _, l := range tt.looks {
				now, taken = now.Add(l.after), taken+l.took
				if got = p.look(now, taken, l.waiting); got != fine {
					break
				}
			}
			if got != tt.want {
				t.Errorf("verdict %d, want %d", got, tt.want)
			}
		})
	}
}
