// Package report turns the runs of a benchmark into what is read: medians,
// ratios, and a page of tables.
package report

import (
	"cmp"
	"slices"
)

// Run is one peer under one case for some seconds.
type Run struct {
	Case      string  `json:"case"`
	Peer      string  `json:"peer"`
	Round     int     `json:"round"` // from 1
	Requests  int     `json:"requests"`
	PerSecond float64 `json:"requests_per_second"`
	CPU       float64 `json:"cpu_us_per_request"` // of the peer, user and system
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Memory    float64 `json:"peak_mib"`
	LoadCPU   float64 `json:"load_cpu_us_per_request"`   // of the generator
	OriginCPU float64 `json:"origin_cpu_us_per_request"` // of the server behind
	Others    float64 `json:"others_percent"`            // of the machine's processors, used by programs that are not ours
	LogLost   int     `json:"log_lines_lost,omitempty"`  // requests that the access log does not have
	Error     string  `json:"error,omitempty"`           // why the other numbers mean nothing
}

// Summary is the median of the rounds, each figure by itself.
type Summary struct {
	Run
	Rounds int `json:"rounds"` // that went well
	// Ratio is the median, over the rounds in which both went well, of our CPU in
	// parts of this peer's; 0 if there is none. Within a round the two ran less
	// than a minute apart, so that a slow quarter of an hour hits both.
	Ratio          float64 `json:"evergate_cpu_ratio,omitempty"`
	CPULow, CPUTop float64 `json:"-"` // least and most of CPU
}

// Summarize returns a Summary for each case and peer in runs, in the order in
// which they first appear. A run with an error takes no part; if all have one,
// the last is kept in Error.
func Summarize(runs []Run) []Summary {
	type key struct{ c, p string }
	var order []key
	good, errors := map[key][]Run{}, map[key]string{}
	ours := map[key]map[int]float64{} // our CPU by round
	for _, r := range runs {
		k := key{r.Case, r.Peer}
		if !slices.Contains(order, k) {
			order = append(order, k)
		}
		if r.Error != "" {
			errors[k] = r.Error
			continue
		}
		good[k] = append(good[k], r)
		if r.Peer == Ours {
			if ours[k] == nil {
				ours[k] = map[int]float64{}
			}
			ours[k][r.Round] = r.CPU
		}
	}

	var all []Summary
	for _, k := range order {
		s := Summary{Run: Run{Case: k.c, Peer: k.p, Error: errors[k]}, Rounds: len(good[k])}
		if rs := good[k]; len(rs) > 0 {
			s.Error = ""
			s.Requests = median(rs, func(r Run) int { return r.Requests })
			s.PerSecond = median(rs, func(r Run) float64 { return r.PerSecond })
			s.CPU = median(rs, func(r Run) float64 { return r.CPU })
			s.P50 = median(rs, func(r Run) float64 { return r.P50 })
			s.P99 = median(rs, func(r Run) float64 { return r.P99 })
			s.Memory = median(rs, func(r Run) float64 { return r.Memory })
			s.LoadCPU = median(rs, func(r Run) float64 { return r.LoadCPU })
			s.OriginCPU = median(rs, func(r Run) float64 { return r.OriginCPU })
			s.Others = median(rs, func(r Run) float64 { return r.Others })
			s.LogLost = median(rs, func(r Run) int { return r.LogLost })
			s.Ratio = ratio(rs, ours[key{k.c, Ours}])
			byCPU := func(a, b Run) int { return cmp.Compare(a.CPU, b.CPU) }
			s.CPULow, s.CPUTop = slices.MinFunc(rs, byCPU).CPU, slices.MaxFunc(rs, byCPU).CPU
		}
		all = append(all, s)
	}
	return all
}

// ratio returns the median of ours in parts of each run's CPU, 0 if no run has
// one of ours in its round.
func ratio(runs []Run, ours map[int]float64) float64 {
	var paired []Run
	for _, r := range runs {
		if ours[r.Round] > 0 && r.CPU > 0 {
			paired = append(paired, r)
		}
	}
	if len(paired) == 0 {
		return 0
	}
	return median(paired, func(r Run) float64 { return ours[r.Round] / r.CPU })
}

// median returns the middle value, of an even number the mean of the two. There
// must be one run at least.
func median[N int | float64](runs []Run, value func(Run) N) N {
	var values []N
	for _, r := range runs {
		values = append(values, value(r))
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}
