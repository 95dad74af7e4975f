package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (g Generator) h2load(ctx context.Context, c Case, port int, duration time.Duration) (Result, string, error) {
	times := filepath.Join(g.Dir, "h2load.tsv")
	// h2load appends; an old file would give old answers.
	if err := os.RemoveAll(times); err != nil {
		return Result{}, "", err
	}
	args := []string{"-t", "1", "-c", fmt.Sprint(Connections), "-m", "1", "-D", strings.TrimSuffix(wholeSeconds(duration), "s"), "--log-file", times}
	if c.Method == "POST" {
		body := filepath.Join(g.Dir, "h2load.body")
		if err := os.WriteFile(body, []byte(strings.Repeat("x", PostBody)), 0o644); err != nil {
			return Result{}, "", err
		}
		args = append(args, "-d", body, "-H", "Content-Type: application/octet-stream")
	}
	out, used, err := g.run(ctx, "h2load", append(args, c.URL(port))...)
	if err != nil {
		return Result{}, out, err
	}
	result, err := parseH2load(out)
	if err != nil {
		return result, out, err
	}
	result.Elapsed, result.CPU = duration, used
	log, err := os.Open(times)
	if err != nil {
		return result, out, err
	}
	defer log.Close()
	result.P50, result.P99, err = percentiles(log)
	return result, out, err
}

var (
	h2loadRequests = regexp.MustCompile(`requests: \d+ total, \d+ started, (\d+) done, \d+ succeeded, (\d+) failed, (\d+) errored, (\d+) timeout`)
	h2loadStatuses = regexp.MustCompile(`status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx`)
	h2loadTraffic  = regexp.MustCompile(`traffic: .*\((\d+)\) data`)
	h2loadProtocol = regexp.MustCompile(`Application protocol: (\S+)`)
)

// parseH2load reads the counts that h2load prints at its end.
func parseH2load(out string) (Result, error) {
	if m := h2loadProtocol.FindStringSubmatch(out); m == nil || m[1] != "h2" {
		return Result{}, fmt.Errorf("h2load did not speak HTTP/2: %q", out)
	}
	var numbers []int64
	for _, pattern := range []*regexp.Regexp{h2loadRequests, h2loadStatuses, h2loadTraffic} {
		m := pattern.FindStringSubmatch(out)
		if m == nil {
			return Result{}, fmt.Errorf("h2load gave no result for %s: %q", pattern, out)
		}
		for _, digits := range m[1:] {
			n, err := strconv.ParseInt(digits, 10, 64)
			if err != nil {
				return Result{}, err
			}
			numbers = append(numbers, n)
		}
	}
	// "failed" are those errored, timed out or of a status that h2load dislikes;
	// the larger count is taken, lest one be counted twice.
	statuses := numbers[4] + numbers[5] + numbers[6]
	return Result{
		Requests: int(numbers[0]),
		Failed:   int(max(numbers[1], numbers[2]+numbers[3], statuses)),
		Bytes:    numbers[7],
	}, nil
}

// percentiles reads the log of h2load, a line per request: start, status and
// duration in microseconds.
func percentiles(log io.Reader) (p50, p99 time.Duration, err error) {
	var all []int64
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 {
			return 0, 0, fmt.Errorf("line of h2load's log: %q", lines.Text())
		}
		n, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("line of h2load's log: %w", err)
		}
		all = append(all, n)
	}
	if err := lines.Err(); err != nil {
		return 0, 0, err
	}
	if len(all) == 0 {
		return 0, 0, fmt.Errorf("h2load logged no request")
	}
	slices.Sort(all)
	at := func(percent int) time.Duration {
		return time.Duration(all[(len(all)-1)*percent/100]) * time.Microsecond
	}
	return at(50), at(99), nil
}
