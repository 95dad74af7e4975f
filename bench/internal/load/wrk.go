package load

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// script is Lua for wrk. Only the end of the run calls into it; requests are
// made once, in C.
const script = `
wrk.method = %q
if wrk.method == "POST" then
	wrk.body = string.rep("x", %d)
	wrk.headers["Content-Type"] = "application/octet-stream"
end
done = function(summary, latency)
	local e = summary.errors
	io.write(string.format("result %%d %%d %%d %%d %%d %%d\n", summary.requests, summary.duration, summary.bytes,
		e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)))
end
`

func (g Generator) wrk(ctx context.Context, c Case, port int, duration time.Duration) (Result, string, error) {
	path := filepath.Join(g.Dir, "wrk-"+c.Method+".lua")
	if err := os.WriteFile(path, fmt.Appendf(nil, script, c.Method, PostBody), 0o644); err != nil {
		return Result{}, "", err
	}
	out, used, err := g.run(ctx, "wrk", "-t", "1", "-c", fmt.Sprint(Connections), "-d", wholeSeconds(duration), "--timeout", "5s", "-s", path, c.URL(port))
	if err != nil {
		return Result{}, out, err
	}
	result, err := parseWrk(out)
	result.CPU = used
	return result, out, err
}

// parseWrk reads the line that script writes.
func parseWrk(out string) (Result, error) {
	_, line, found := strings.Cut("\n"+out, "\nresult ")
	if !found {
		return Result{}, fmt.Errorf("wrk gave no result: %q", out)
	}
	var r Result
	var elapsed, p50, p99 float64 // microseconds
	if _, err := fmt.Sscan(line, &r.Requests, &elapsed, &r.Bytes, &r.Failed, &p50, &p99); err != nil {
		return Result{}, fmt.Errorf("result of wrk: %w", err)
	}
	// A status that wrk calls an error is also among its requests.
	r.Elapsed, r.P50, r.P99 = microseconds(elapsed), microseconds(p50), microseconds(p99)
	return r, nil
}

func microseconds(n float64) time.Duration { return time.Duration(n * float64(time.Microsecond)) }

// wholeSeconds is d as both generators take it, 1 s or more.
func wholeSeconds(d time.Duration) string {
	return fmt.Sprintf("%ds", max(1, int(d.Round(time.Second)/time.Second)))
}

// run runs a generator and returns all that it wrote and the processor time
// that it used.
func (g Generator) run(ctx context.Context, name string, args ...string) (string, time.Duration, error) {
	if g.CPUs != "" {
		name, args = "taskset", append([]string{"-c", g.CPUs, name}, args...)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	// In a group of its own: Ctrl-C is for us, and ctx tells it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return out.String(), 0, fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(out.String()))
	}
	return out.String(), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}
