package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/evergate/evergate/bench/internal/load"
	"github.com/evergate/evergate/bench/internal/peer"
	"github.com/evergate/evergate/bench/internal/process"
)

// profile takes a processor and an allocation profile of Evergate under c and
// shows the top of both.
func (b *bench) profile(ctx context.Context, peers []*peer.Peer, c load.Case) error {
	if len(peers) == 0 {
		return errors.New("there is no Evergate to profile")
	}
	p := peers[0]
	s, err := b.setup(c)
	if err != nil {
		return err
	}
	s.Pprof = true
	door, err := p.Start(s)
	if err != nil {
		return err
	}
	defer door.Stop(5 * time.Second)
	if err := b.profiled(ctx, c, s, door); err != nil {
		return fmt.Errorf("%w; it said: %s", err, door.LastWords())
	}
	for _, show := range [][]string{
		{"-nodecount=40", "cpu.prof"},
		{"-nodecount=40", "-cum", "cpu.prof"},
		{"-nodecount=30", "-sample_index=alloc_space", "allocs.prof"},
	} {
		last := len(show) - 1
		show[last] = filepath.Join(b.raw, show[last])
		cmd := exec.CommandContext(ctx, "go", append([]string{"tool", "pprof", "-top"}, append(show[:last:last], p.Path, show[last])...)...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return err
		}
	}
	say("profiles are in bench/%s", b.raw)
	return nil
}

// profiled loads the door and fetches its profiles meanwhile.
func (b *bench) profiled(ctx context.Context, c load.Case, s peer.Setup, door *process.Process) error {
	if _, err := check(ctx, c, s, door); err != nil {
		return err
	}
	_, rest := b.cpus()
	generator := load.Generator{Dir: b.work, CPUs: rest}
	if _, _, err := generator.Run(ctx, c, s.Port, b.warmup); err != nil {
		return err
	}
	taken := b.duration + 7*time.Second
	say("profiling %s for %v", c.Name, taken)
	fetched := make(chan error, 1)
	go func() {
		fetched <- b.fetch(ctx, s, fmt.Sprintf("profile?seconds=%d", int(taken.Seconds())), "cpu.prof")
	}()
	// The load lasts longer than the profile, so that no idle time is in it.
	result, _, err := generator.Run(ctx, c, s.Port, taken+time.Second)
	if err := errors.Join(err, <-fetched); err != nil {
		return err
	}
	say("%.0f requests/s while profiled", float64(result.Requests)/result.Elapsed.Seconds())
	return b.fetch(ctx, s, "allocs", "allocs.prof")
}

// fetch writes a profile into the raw folder.
func (b *bench) fetch(ctx context.Context, s peer.Setup, what, name string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/%s", s.AdminPort, what), nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("profile %s: %s", what, response.Status)
	}
	file, err := os.Create(filepath.Join(b.raw, name))
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := io.Copy(file, response.Body); err != nil {
		return err
	}
	return file.Close()
}
