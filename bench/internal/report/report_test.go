package report

import (
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	tests := []struct {
		name   string
		values []float64
		want   float64
	}{
		{"one", []float64{3}, 3},
		{"an odd number, in any order", []float64{9, 1, 4}, 4},
		{"an even number: the mean of the middle two", []float64{8, 1, 2, 4}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var runs []Run
			for _, v := range tt.values {
				runs = append(runs, Run{CPU: v})
			}
			if got := median(runs, func(r Run) float64 { return r.CPU }); got != tt.want {
				t.Errorf("median is %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSummarizeLeavesOutFailedRuns(t *testing.T) {
	got := Summarize([]Run{
		{Case: "a", Peer: "evergate", CPU: 30}, {Case: "a", Peer: "nginx", Error: "no"},
		{Case: "a", Peer: "evergate", Error: "died"}, {Case: "a", Peer: "nginx", Error: "again no"},
		{Case: "a", Peer: "evergate", CPU: 20},
	})
	if len(got) != 2 {
		t.Fatalf("%d summaries, want 2", len(got))
	}
	if s := got[0]; s.Peer != "evergate" || s.Rounds != 2 || s.CPU != 25 || s.CPULow != 20 || s.CPUTop != 30 || s.Error != "" {
		t.Errorf("of evergate: %+v", s)
	}
	if s := got[1]; s.Peer != "nginx" || s.Rounds != 0 || s.Error != "again no" {
		t.Errorf("of nginx: %+v", s)
	}
}

func TestSummarizeComparesWithinARound(t *testing.T) {
	got := Summarize([]Run{
		{Case: "a", Peer: "evergate", Round: 1, CPU: 30}, {Case: "a", Peer: "caddy", Round: 1, CPU: 100},
		{Case: "a", Peer: "evergate", Round: 2, CPU: 300}, {Case: "a", Peer: "caddy", Round: 2, CPU: 600}, // a slow time
		{Case: "a", Peer: "evergate", Round: 3, CPU: 30}, {Case: "a", Peer: "caddy", Round: 3, CPU: 75},
		{Case: "a", Peer: "evergate", Round: 4, Error: "died"}, {Case: "a", Peer: "caddy", Round: 4, CPU: 1},
	})
	if got[1].Ratio != 0.4 {
		t.Errorf("ratio is %v, want the middle one of 0.3, 0.5 and 0.4", got[1].Ratio)
	}
}

func TestPage_Markdown(t *testing.T) {
	page := Page{
		Date:     "2026-01-02",
		Versions: map[string]string{"wrk": "4.1"},
		Missing:  map[string]string{"haproxy": "not installed"},
		Cases:    []Case{{Name: "get-1k", Text: "a GET"}},
		Results: Summarize([]Run{
			{Case: "get-1k", Peer: "evergate", CPU: 40, PerSecond: 20_000, P50: 2, P99: 9, Memory: 30, Others: 2},
			{Case: "get-1k", Peer: "nginx", Error: "exit | 1"},
			{Case: "get-1k", Peer: "caddy", CPU: 100, LogLost: 7, Others: 12},
			{Case: "get-1k", Peer: "reverseproxy", CPU: 50},
		}),
	}
	var text strings.Builder
	if err := page.Markdown(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"- **haproxy is missing**: not installed\n",
		"took meanwhile: 0 to 12 % (**doubtful**: more than 10 %)\n",
		"| case | nginx | caddy | reverseproxy |\n",
		"| get-1k | - | 0.40 | **0.80** |\n",
		"is 0.45 of caddy and 0.65 of reverseproxy;",
		"| evergate | 40.0 (40.0-40.0) | 20000 | 2.00 | 9.00 | 30 |\n",
		"\nThe access log of caddy lacks 7 of the requests.\n",
		"| nginx | failed: exit / 1 | | | | |\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, text.String())
		}
	}
}

func TestMachine_Slug(t *testing.T) {
	m := Machine{Processor: "AMD EPYC(tm) 7B13", Count: 2}
	if got := m.Slug(); got != "amd-epyc-tm-7b13-x2" {
		t.Errorf("slug %q", got)
	}
}
