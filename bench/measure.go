package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/evergate/evergate/bench/internal/load"
	"github.com/evergate/evergate/bench/internal/peer"
	"github.com/evergate/evergate/bench/internal/process"
	"github.com/evergate/evergate/bench/internal/report"
)

// bench is what all runs share.
type bench struct {
	options
	work      string // folder that goes away
	raw       string // folder that stays
	cert, key string
	origin    *process.Process
	address   string // of origin
	starts    int    // of peers, so far
}

// prepare starts the server behind and makes the certificate.
func (b *bench) prepare(ctx context.Context, bin string) error {
	if err := need(b.cases); err != nil {
		return err
	}
	program, err := peer.Build(ctx, bin, ".", "./origin")
	if err != nil {
		return err
	}
	if b.cert, b.key, err = peer.Certificate(b.work); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	b.address = fmt.Sprintf("127.0.0.1:%d", port)
	_, rest := b.cpus()
	b.origin, err = process.Start(process.Command{
		Path: program, Args: []string{"-listen", b.address}, Dir: b.work, CPUs: rest,
		Out: filepath.Join(b.work, "origin.log"), Err: filepath.Join(b.work, "origin.log"),
	})
	return err
}

func (b *bench) close() {
	if b.origin != nil {
		b.origin.Stop(time.Second)
	}
}

// freePort returns a port of loopback that was free just now. Programs that
// cannot tell which port they got have to be told.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// setup makes the folder and the ports of a new start.
func (b *bench) setup(c load.Case) (peer.Setup, error) {
	b.starts++
	dir := filepath.Join(b.work, fmt.Sprintf("start-%d", b.starts))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return peer.Setup{}, err
	}
	port, err := freePort()
	if err != nil {
		return peer.Setup{}, err
	}
	admin, err := freePort()
	if err != nil {
		return peer.Setup{}, err
	}
	proxy, _ := b.cpus()
	return peer.Setup{
		Port: port, AdminPort: admin, Origin: b.address, TLS: c.TLS, Cert: b.cert, Key: b.key,
		Dir: dir, AccessLog: filepath.Join(dir, "access.log"),
		Processors: b.processors, CPUs: proxy, Root: os.Getuid() == 0,
	}, nil
}

// measure starts p, checks that it answers rightly, loads it, and returns what
// it took. What goes wrong is in the Error of the run.
func (b *bench) measure(ctx context.Context, p *peer.Peer, c load.Case, round int) report.Run {
	run := report.Run{Case: c.Name, Peer: p.Name, Round: round}
	s, err := b.setup(c)
	if err != nil {
		run.Error = err.Error()
		return run
	}
	defer os.RemoveAll(s.Dir) // its log may be large
	door, err := p.Start(s)
	if err != nil {
		run.Error = err.Error()
		return run
	}
	if err := b.loaded(ctx, p, c, s, door, &run); err != nil {
		run.Error = err.Error()
		if words := door.LastWords(); words != "" {
			run.Error += "; it said: " + words
		}
	}
	if err := door.Stop(5 * time.Second); err != nil && run.Error == "" && ctx.Err() == nil {
		run.Error = err.Error()
	}
	return run
}

// loaded is the part of measure while the peer runs.
func (b *bench) loaded(ctx context.Context, p *peer.Peer, c load.Case, s peer.Setup, door *process.Process, run *report.Run) error {
	asked, err := check(ctx, c, s, door)
	if err != nil {
		return err
	}
	_, rest := b.cpus()
	generator := load.Generator{Dir: b.work, CPUs: rest}
	warm, _, err := generator.Run(ctx, c, s.Port, b.warmup)
	if err != nil {
		return err
	}

	proxies, err := process.Tree(door.PID())
	if err != nil {
		return err
	}
	before, err := b.read(proxies)
	if err != nil {
		return err
	}
	result, output, err := generator.Run(ctx, c, s.Port, b.duration)
	raw := filepath.Join(b.raw, fmt.Sprintf("%s-%s-%d.txt", c.Name, p.Name, run.Round))
	if err := errors.Join(err, os.WriteFile(raw, []byte(output), 0o644)); err != nil {
		return err
	}
	after, err := b.read(proxies)
	if err != nil {
		return err
	}
	memory, err := process.PeakMemory(proxies)
	if err != nil {
		return err
	}
	if err := result.Check(c); err != nil {
		return err
	}

	each := func(d time.Duration) float64 { return d.Seconds() * 1e6 / float64(result.Requests) }
	run.Requests = result.Requests
	run.PerSecond = float64(result.Requests) / result.Elapsed.Seconds()
	run.CPU, run.LoadCPU, run.OriginCPU = each(after.proxy-before.proxy), each(result.CPU), each(after.origin-before.origin)
	run.Others = after.others(before, result.CPU)
	run.P50, run.P99 = result.P50.Seconds()*1e3, result.P99.Seconds()*1e3
	run.Memory = float64(memory) / (1 << 20)
	if !p.Logs {
		return nil
	}
	asked += warm.Requests + result.Requests
	lines, err := logLines(ctx, s.AccessLog, c.Path, asked)
	if err != nil {
		return err
	}
	if run.LogLost, err = judgeLog(lines, asked); err != nil {
		return err
	}
	return nil
}

// clocks are the processor times that a measurement compares.
type clocks struct {
	proxy, origin, machine time.Duration
	at                     time.Time
}

func (b *bench) read(proxies []int) (now clocks, err error) {
	now.at = time.Now()
	if now.proxy, err = process.CPU(proxies); err != nil {
		return now, err
	}
	if now.origin, err = process.CPU([]int{b.origin.PID()}); err != nil {
		return now, err
	}
	now.machine, err = process.MachineCPU()
	return now, err
}

// others returns what programs that are not ours took since before, in percent
// of all processors.
func (c clocks) others(before clocks, generator time.Duration) float64 {
	ours := c.proxy - before.proxy + c.origin - before.origin + generator
	all := c.at.Sub(before.at) * time.Duration(runtime.NumCPU())
	return max(0, 100*float64(c.machine-before.machine-ours)/float64(all))
}

// logLines counts the lines of the log that hold mark, once there are enough or
// no more come.
func logLines(ctx context.Context, path, mark string, enough int) (int, error) {
	deadline := time.Now().Add(3 * time.Second)
	for {
		lines, err := countLines(path, mark)
		if err != nil || lines >= enough || time.Now().After(deadline) {
			return lines, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// judgeLog holds the lines of an access log against the requests that were
// answered, and returns how many it lacks. Some more are right: both runs of a
// generator leave requests unfinished at their end, which the proxy may log. A
// few less are what proxies do that would rather lose a line than wait, and are
// reported; more than one in a hundred is no log.
func judgeLog(lines, requests int) (lost int, err error) {
	if lines > requests+2*load.Connections {
		return 0, fmt.Errorf("the access log has %d lines for %d requests", lines, requests)
	}
	lost = max(0, requests-lines)
	if lost*100 > requests {
		return lost, fmt.Errorf("the access log has only %d lines for %d requests", lines, requests)
	}
	return lost, nil
}

// countLines returns how many lines of the file hold mark; none if there is no
// file yet.
func countLines(path, mark string) (int, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	r := bufio.NewReaderSize(file, 1<<20)
	count := 0
	for {
		line, err := r.ReadSlice('\n')
		if bytes.Contains(line, []byte(mark)) {
			count++
		}
		if errors.Is(err, io.EOF) {
			return count, nil
		}
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", path, err)
		}
	}
}
