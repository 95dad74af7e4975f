// Command bench compares Evergate with nginx, HAProxy, Caddy and
// httputil.ReverseProxy on this machine, over loopback: what a request costs
// each of them in processor time, how many they answer in a second, how long
// that takes and how much memory it needs. README.md says how to read it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/evergate/evergate/bench/internal/load"
	"github.com/evergate/evergate/bench/internal/peer"
	"github.com/evergate/evergate/bench/internal/report"
)

func main() {
	// What we start is told to end when the thread that started it ends; this
	// one lasts as long as we do.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	options, err := readOptions(os.Args[1:], os.Getenv)
	if err == nil {
		err = run(ctx, options)
	}
	if err != nil {
		say("%v", err)
		os.Exit(1)
	}
}

// say writes a line of progress.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05")+" bench: "+format+"\n", args...)
}

func run(ctx context.Context, o options) error {
	work, err := os.MkdirTemp("", "evergate-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	bin, err := filepath.Abs("../bin")
	if err != nil {
		return err
	}

	// The peers, and who is missing.
	page := report.Page{
		Date: time.Now().UTC().Format(time.DateOnly), Machine: report.ThisMachine(), Setting: o.String(),
		Versions: toolVersions(ctx), Missing: map[string]string{},
	}
	peers := find(ctx, o.peers, bin, page)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}

	// The server behind, and what all share.
	b := &bench{options: o, work: work, raw: filepath.Join("results", "raw", time.Now().UTC().Format("20060102-150405"))}
	if err := os.MkdirAll(b.raw, 0o755); err != nil {
		return err
	}
	if err := b.prepare(ctx, bin); err != nil {
		return err
	}
	defer b.close()

	if o.profile {
		return b.profile(ctx, peers, o.cases[0])
	}
	runs, err := b.rounds(ctx, peers)
	if err != nil {
		return err
	}

	// The results.
	for _, c := range o.cases {
		page.Cases = append(page.Cases, report.Case{Name: c.Name, Text: c.Text()})
	}
	page.Results = report.Summarize(runs)
	return publish(page, runs, o, b.raw)
}

// find returns those of wanted that are on this machine, and notes in page
// which they are, and which are not.
func find(ctx context.Context, wanted []*peer.Peer, bin string, page report.Page) []*peer.Peer {
	var found []*peer.Peer
	for _, p := range wanted {
		say("looking for %s%s", p.Name, p.Cost())
		if err := p.Find(ctx, bin); err != nil {
			say("%s is missing: %v", p.Name, err)
			page.Missing[p.Name] = err.Error()
			continue
		}
		page.Versions[p.Name] = p.Version(ctx)
		found = append(found, p)
	}
	return found
}

// rounds measures every peer under every case, o.rounds times. Peers take
// turns within a case, so that a slow minute of the machine hits all of them.
func (b *bench) rounds(ctx context.Context, peers []*peer.Peer) ([]report.Run, error) {
	each := b.warmup + b.duration + time.Second
	total := b.options.rounds * len(b.cases) * len(peers)
	say("%d runs, about %v if nothing else runs here", total, (time.Duration(total) * each).Round(time.Minute))
	var runs []report.Run
	for round := 1; round <= b.options.rounds; round++ {
		for _, c := range b.cases {
			for _, p := range peers {
				r := b.quietest(ctx, p, c, round)
				if ctx.Err() != nil {
					return nil, errors.New("interrupted")
				}
				runs = append(runs, r)
				where := fmt.Sprintf("round %d of %d, %-12s %-12s", round, b.options.rounds, c.Name, p.Name)
				if r.Error != "" {
					say("%s failed: %s", where, r.Error)
					continue
				}
				say("%s %6.1f us CPU per request, %6.0f requests/s, p99 %6.2f ms, %4.0f MiB; others took %2.0f %%", where, r.CPU, r.PerSecond, r.P99, r.Memory, r.Others)
			}
		}
	}
	return runs, nil
}

// quietest measures until other programs leave the machine alone, at most
// b.tries times, and returns the run in which they took least.
func (b *bench) quietest(ctx context.Context, p *peer.Peer, c load.Case, round int) report.Run {
	best := b.measure(ctx, p, c, round)
	for range b.tries - 1 {
		if best.Error != "" || best.Others <= report.Busy || ctx.Err() != nil {
			break
		}
		if r := b.measure(ctx, p, c, round); r.Error == "" && r.Others < best.Others {
			best = r
		}
	}
	return best
}

// need returns an error if a generator that the cases need is not there.
func need(cases []load.Case) error {
	for _, c := range cases {
		if err := load.Available(c); err != nil {
			return err
		}
	}
	return nil
}
