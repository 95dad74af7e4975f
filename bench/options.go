package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/evergate/evergate/bench/internal/load"
	"github.com/evergate/evergate/bench/internal/peer"
	"github.com/evergate/evergate/bench/internal/report"
)

// options say what is measured, and for how long.
type options struct {
	rounds           int
	tries            int // of a measurement while the machine is busy with other things
	warmup, duration time.Duration
	cases            []load.Case
	peers            []*peer.Peer
	processors       int    // of each proxy
	pin              bool   // the proxy on one processor, all else on another
	evergate         string // program to measure instead of building it
	profile          bool
	whole            bool // all cases and peers, so that the results can be kept
}

// readOptions reads the flags, each of which can also be given as a variable of
// the environment, in capitals.
func readOptions(args []string, env func(string) string) (options, error) {
	var o options
	var cases, peers, duration, warmup, processors, tries string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	rounds := flags.String("rounds", cmp.Or(env("ROUNDS"), "5"), "how often each peer has its turn (ROUNDS)")
	flags.StringVar(&duration, "duration", cmp.Or(env("DURATION"), "3s"), "time of one measurement, whole seconds (DURATION)")
	flags.StringVar(&warmup, "warmup", cmp.Or(env("WARMUP"), "1s"), "load before each measurement, whole seconds (WARMUP)")
	flags.StringVar(&cases, "cases", env("CASES"), "cases by name, with commas: "+names(load.Cases, caseName)+" (CASES; all)")
	flags.StringVar(&peers, "peers", env("PEERS"), "peers by name, with commas: "+names(peer.All(), peerName)+" (PEERS; all)")
	flags.StringVar(&processors, "processors", cmp.Or(env("PROCESSORS"), strconv.Itoa(min(2, runtime.NumCPU()))), "processors that each proxy may use at once (PROCESSORS)")
	flags.StringVar(&tries, "tries", cmp.Or(env("TRIES"), "3"), fmt.Sprintf("measure up to so often if other programs take more than %d %% of the machine, and keep the quietest (TRIES)", report.Busy))
	flags.BoolVar(&o.pin, "pin", env("PIN") != "" && env("PIN") != "0", "the proxy alone on one processor, load and server on another (PIN=1)")
	flags.StringVar(&o.evergate, "evergate", env("EVERGATE"), "file of an Evergate to measure, instead of building this one (EVERGATE)")
	flags.BoolVar(&o.profile, "profile", false, "take a processor profile of Evergate under the first case instead")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}

	var problems []error
	note := func(err error) { problems = append(problems, err) }
	var err error
	if o.rounds, err = strconv.Atoi(*rounds); err != nil || o.rounds < 1 {
		note(fmt.Errorf("rounds is %q, want a number from 1", *rounds))
	}
	if o.processors, err = strconv.Atoi(processors); err != nil || o.processors < 1 {
		note(fmt.Errorf("processors is %q, want a number from 1", processors))
	}
	if o.tries, err = strconv.Atoi(tries); err != nil || o.tries < 1 {
		note(fmt.Errorf("tries is %q, want a number from 1", tries))
	}
	// wrk and h2load know whole seconds only.
	if o.duration, err = time.ParseDuration(duration); err != nil || o.duration < time.Second || o.duration%time.Second != 0 {
		note(fmt.Errorf("duration is %q, want whole seconds like 3s", duration))
	}
	if o.warmup, err = time.ParseDuration(warmup); err != nil || o.warmup < time.Second || o.warmup%time.Second != 0 {
		note(fmt.Errorf("warmup is %q, want whole seconds like 1s", warmup))
	}
	if o.cases, err = choose(load.Cases, cases, caseName); err != nil {
		note(err)
	}
	if o.peers, err = choose(peer.All(), peers, peerName); err != nil {
		note(err)
	}
	if o.pin {
		o.processors = 1
		if runtime.NumCPU() < 2 {
			note(errors.New("pin needs two processors"))
		}
	}
	if o.profile {
		o.peers, err = choose(peer.All(), report.Ours, peerName)
		note(err)
	}
	if o.evergate != "" {
		// A file that is named is not looked for, nor built.
		if o.evergate, err = filepath.Abs(o.evergate); err != nil {
			note(err)
		}
		for _, p := range o.peers {
			if p.Name == report.Ours {
				p.Path = o.evergate
			}
		}
	}
	o.whole = cases == "" && peers == "" && o.evergate == ""
	return o, errors.Join(problems...)
}

func caseName(c load.Case) string  { return c.Name }
func peerName(p *peer.Peer) string { return p.Name }

func names[T any](all []T, name func(T) string) string {
	var list []string
	for _, one := range all {
		list = append(list, name(one))
	}
	return strings.Join(list, ",")
}

// choose returns those of all that the list names, in the order of all; an
// empty list is all of them.
func choose[T any](all []T, list string, name func(T) string) ([]T, error) {
	if list == "" {
		return all, nil
	}
	wanted := strings.Split(list, ",")
	var chosen []T
	for _, one := range all {
		if i := slices.Index(wanted, name(one)); i >= 0 {
			wanted = slices.Delete(wanted, i, i+1)
			chosen = append(chosen, one)
		}
	}
	if len(wanted) > 0 {
		return nil, fmt.Errorf("there is no %q; there are %s", wanted[0], names(all, name))
	}
	return chosen, nil
}

// String is the line about the setting in the results.
func (o options) String() string {
	text := fmt.Sprintf("%d connections, medians of %d rounds of %v after %v of warm-up, each proxy with %d processors", load.Connections, o.rounds, o.duration, o.warmup, o.processors)
	if o.pin {
		text += ", alone on the first, load and server on the second"
	} else {
		text += ", shared with load and server"
	}
	return text
}

// cpus returns the processors of the proxy and of all else, as taskset takes
// them.
func (o options) cpus() (proxy, rest string) {
	if o.pin {
		return "0", "1"
	}
	return "", ""
}
