package h2spec

import (
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
)

// patience is how long the suite waits for what a server must send.
const patience = 2 * time.Second

// result is what became of one case: nil is a pass.
type result struct {
	id, name string
	err      error
}

// eachCase calls f for every case of the suite, in its order. number counts from
// 1 within its section.
func eachCase(f func(c *spec.TestCase, id string, number int)) {
	var walk func(*spec.TestGroup)
	walk = func(g *spec.TestGroup) {
		// The strict ones come last, as the suite itself numbers them.
		for i, c := range append(g.Tests[:len(g.Tests):len(g.Tests)], g.StrictTests...) {
			f(c, fmt.Sprintf("%s/%d", g.ID(), i+1), i+1)
		}
		for _, sub := range g.Groups {
			walk(sub)
		}
	}
	for _, g := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
		walk(g)
	}
}

// run tries every case on address.
func run(t *testing.T, address string) (all []result) {
	t.Helper()
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	c := &config.Config{
		Host: host, Port: port, Path: "/", Timeout: patience, MaxHeaderLen: 4000,
		Strict: true, TLS: true, Insecure: true,
	}
	eachCase(func(tc *spec.TestCase, id string, number int) {
		all = append(all, result{id, tc.Desc, try(c, tc, number)})
	})
	return all
}

// try runs one case, and again when it failed: some depend on who is faster, the
// suite that still writes or the server that already closes.
func try(c *config.Config, tc *spec.TestCase, number int) (err error) {
	for range 3 {
		// Its own error is that of a failed connect, which is no pass either.
		if err = tc.Test(c, number); err == nil {
			err = tc.Result.Error
		}
		if err == nil {
			return nil
		}
	}
	return err
}

// score counts passes.
func score(all []result) (passed int) {
	for _, r := range all {
		if r.err == nil {
			passed++
		}
	}
	return passed
}
