package api

import (
	"slices"
	"strings"
)

const (
	maxNearest = 3
	maxCompare = 200 // bytes of a name; longer ones are not compared
)

// Nearest returns at most three of names that whoever wrote name may have meant,
// the best first.
func Nearest(name string, names []string) []string {
	type candidate struct {
		name string
		far  int
	}
	var near []candidate
	if name == "" || len(name) > maxCompare {
		return nil
	}
	lower := strings.ToLower(name)
	most := max(2, len(name)/4)
	for _, n := range names {
		if len(n) > maxCompare {
			continue
		}
		far := distance(lower, strings.ToLower(n), most)
		if far > most {
			// Part of a name, or a name with too much: further than any mistyped one.
			if !strings.Contains(strings.ToLower(n), lower) || len(name) < 3 {
				continue
			}
			far = most + len(n) - len(name)
		}
		near = append(near, candidate{n, far})
	}
	slices.SortFunc(near, func(a, b candidate) int {
		if a.far != b.far {
			return a.far - b.far
		}
		return strings.Compare(a.name, b.name)
	})
	var out []string
	for _, c := range near[:min(len(near), maxNearest)] {
		out = append(out, c.name)
	}
	return out
}

// distance is how many bytes must be changed, added or taken away to make a into
// b (Levenshtein), or most+1 if it is more than most.
func distance(a, b string, most int) int {
	if d := len(a) - len(b); d > most || -d > most {
		return most + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal, least := row[0], i+1
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
			least = min(least, row[j+1])
		}
		if least > most {
			return most + 1
		}
	}
	return min(row[len(b)], most+1)
}
