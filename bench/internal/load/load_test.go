package load

import (
	"strings"
	"testing"
	"time"
)

func TestParseWrk(t *testing.T) {
	got, err := parseWrk("Running 3s test @ http://localhost:1/\nrequests\nresult 1000 3000000 1200000 2 1500 2500\n")
	want := Result{Requests: 1000, Failed: 2, Bytes: 1_200_000, Elapsed: 3 * time.Second, P50: 1500 * time.Microsecond, P99: 2500 * time.Microsecond}
	if err != nil || got != want {
		t.Errorf("parseWrk: %+v, %v", got, err)
	}
	if _, err := parseWrk("unable to connect"); err == nil {
		t.Error("no result: no error")
	}
}

const h2loadOutput = `Application protocol: h2
finished in 3.00s, 333.33 req/s, 1.0MB/s
requests: 1000 total, 1064 started, 1000 done, 990 succeeded, 10 failed, 0 errored, 0 timeout
status codes: 990 2xx, 0 3xx, 0 4xx, 10 5xx
traffic: 1.01MB (1060000) total, 10KB (10240) headers (space savings 90.00%), 1.00MB (1048576) data
`

func TestParseH2load(t *testing.T) {
	got, err := parseH2load(h2loadOutput)
	want := Result{Requests: 1000, Failed: 10, Bytes: 1_048_576}
	if err != nil || got != want {
		t.Errorf("parseH2load: %+v, %v", got, err)
	}
	if _, err := parseH2load(strings.Replace(h2loadOutput, "protocol: h2", "protocol: http/1.1", 1)); err == nil {
		t.Error("HTTP/1.1 instead of HTTP/2: no error")
	}
}

func TestPercentiles(t *testing.T) {
	var log strings.Builder
	for i := range 100 {
		log.WriteString("1700000000000000\t200\t" + strings.Repeat("1", 1+i/99) + "\n") // 99 of 1 us, one of 11 us
	}
	p50, p99, err := percentiles(strings.NewReader(log.String()))
	if err != nil || p50 != time.Microsecond || p99 != time.Microsecond {
		t.Errorf("percentiles: %v, %v, %v", p50, p99, err)
	}
	if _, _, err := percentiles(strings.NewReader("")); err == nil {
		t.Error("an empty log: no error")
	}
}

func TestResult_Check(t *testing.T) {
	tests := []struct {
		name   string
		result Result
		fails  bool
	}{
		{"all answers whole", Result{Requests: 10, Bytes: 10_500}, false},
		{"no answer", Result{}, true},
		{"one failed", Result{Requests: 10, Bytes: 10_500, Failed: 1}, true},
		{"answers too short", Result{Requests: 10, Bytes: 9_000}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.result.Check(Case{Size: 1000}); (err != nil) != tt.fails {
				t.Errorf("Check: %v", err)
			}
		})
	}
}
