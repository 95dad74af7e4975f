// Package demo shows what Evergate is for, on one machine and with nothing set
// up: a vendor API on three servers that fails a quarter of all requests (package
// vendor), the door before it with the same configuration and code as "evergate
// run", and a stream of clients (package clients).
//
// Every figure that it shows is counted by somebody who saw it: what the clients
// suffered by the clients, how each attempt went by the door's access log, which
// orders were carried out by the vendor's ledger, and the state of each server by
// the door's metrics.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/demo/clients"
	"github.com/evergate/evergate/internal/demo/vendor"
)

const (
	defaultRate = 200
	mostRate    = 2000
	// patience is how long the end of the demo waits for requests under way.
	patience = 2 * time.Second
)

// Options say how the demo runs. Only Out must be given.
type Options struct {
	Out      io.Writer     // a terminal is drawn on; anything else gets a line every 5 s
	Listen   string        // "host:port" of the door; "": 127.0.0.1:8080, or any port where that is taken
	Duration time.Duration // 0: until the context ends
	Rate     int           // requests of all clients per second, up to 2000; 0: 200
	Seed     uint64        // of the faults and of what clients ask for; 0: another one each time
}

// Run shows the demo until ctx ends or o.Duration is over, then a summary, and
// leaves nothing behind: no file, no goroutine. It returns nil after a demo that
// came to such an end.
func Run(ctx context.Context, o Options) error {
	_, err := run(ctx, o)
	return err
}

// outcome is what a demo ended with, for tests.
type outcome struct {
	figures figures
	ledger  *vendor.Ledger
	config  string
}

func run(ctx context.Context, o Options) (*outcome, error) {
	o.Rate = cmp.Or(o.Rate, defaultRate)
	o.Seed = cmp.Or(o.Seed, uint64(time.Now().UnixNano()%1e9)+1) // short enough to type again
	if o.Rate < 1 || o.Rate > mostRate {
		return nil, fmt.Errorf("start the demo: the rate is %d, want 1 to %d", o.Rate, mostRate)
	}
	if o.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Duration)
		defer cancel()
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	// The API, and its ledger.
	ledger := vendor.NewLedger(false)
	api, err := vendor.Start(vendor.Options{Ledger: ledger, Seed: o.Seed, Slow: 3 * tryTimeout})
	if err != nil {
		return nil, err
	}
	defer api.Close()

	// The door before it. Its access log is where attempts are counted.
	sum := newTally(api.Addresses())
	door, err := openDoor(ctx, o.Listen, api.Addresses(), &logReader{each: sum.logged})
	if err != nil {
		return nil, err
	}

	// What ends the demo too early.
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case err := <-api.Failed():
			fail(err)
		case <-door.stopped:
			fail(fmt.Errorf("the door stopped by itself: %w", cmp.Or(door.err, errors.New("nobody told it to"))))
		case <-ctx.Done():
		}
	})

	// The clients.
	base := "http://" + door.at.HTTP[0]
	stream := clients.New(base, o.Rate, o.Seed)
	force, cut := context.WithCancel(context.Background())
	defer cut()
	var streaming sync.WaitGroup
	streaming.Go(func() {
		stream.Run(ctx, force, func(r clients.Result) { sum.answered(r, r.Order != "" && ledger.Times(r.Order) > 0) })
	})

	// The view, until the end.
	web := &http.Client{Transport: &http.Transport{}}
	from := &sources{tally: sum, applied: ledger.Applied, start: time.Now(), web: web, admin: door.at.Admin}
	v := &view{out: o.Out, screen: screenFor(o.Out, os.Getenv), head: heading(o), places: places(door, base), now: from.now}
	err = v.introduce()
	if err == nil {
		err = v.run(ctx)
	}
	fail(nil)
	from.now(context.Background()) // the states at the end

	// Stop in reverse. Only now are the figures final.
	hurry := time.AfterFunc(patience, cut)
	streaming.Wait()
	hurry.Stop()
	watching.Wait()
	web.CloseIdleConnections()
	err = errors.Join(err, failure(ctx), door.close())
	api.Close()
	end := &outcome{figures: from.last(), ledger: ledger, config: door.config}
	if err != nil {
		if said := door.log.String(); said != "" {
			err = fmt.Errorf("%w\nthe door's last words:\n%s", err, said)
		}
		return end, err
	}
	return end, v.summary(&end.figures)
}

// failure is the error that ended ctx, nil for a Ctrl-C or the end of its time.
func failure(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
		return nil
	}
	return cause
}

// heading is what the picture begins with.
func heading(o Options) []line {
	return []line{
		{{strong, "Evergate demo"}, {plain, ": an API that fails, and the door before it"}},
		{{faint, fmt.Sprintf("%d requests/s; --seed %d shows the same faults again", o.Rate, o.Seed)}},
	}
}

// places is where a person can look.
func places(d *door, base string) []line {
	row := func(label, place string) line { return line{{strong, fmt.Sprintf("%-9s", label)}, {plain, place}} }
	lines := []line{row("ask", base+"/patients/7")}
	for _, address := range d.at.HTTPS {
		lines = append(lines, row("", "https://"+address+"/results/7"))
	}
	return append(lines, row("figures", "http://"+d.at.Admin+"/metrics"), row("config", d.config))
}
