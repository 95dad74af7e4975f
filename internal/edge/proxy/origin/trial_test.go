package origin

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/exchange"
	"pgregory.net/rapid"
)

// Servers die and come back at random while requests are retried as the proxy
// does it. Whatever happened: once all servers are well again, everybody who
// still waits is served soon, and all servers come back to full use.
func TestTrial_everybodyIsServedOnceServersAreBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ *testing.T }{t}, func(t *rapid.T) {
			w := &world{}
			cfg := settingsFor(a1, a2, "http://10.0.0.3:80")
			if rapid.Bool().Draw(t, "checks") {
				withChecks(cfg)
			}
			cfg.Servers[2].Backup = rapid.Bool().Draw(t, "backup")
			cfg.Health.ConsecutiveFailures = rapid.IntRange(1, 3).Draw(t, "failures")
			cfg.MaxInFlight.Server = rapid.IntRange(0, 2).Draw(t, "limit")
			cfg.Health.Eject = config.Eject{Base: config.Duration(3 * time.Second), Max: config.Duration(10 * time.Second)}
			cfg.Queue.Timeout *= 100
			o, err := New("shop", cfg, w.options())
			if err != nil {
				t.Fatal(err)
			}
			o.Start()
			defer o.Retire()
			time.Sleep(20 * time.Second)
			open := 0
			results := make(chan error, 100)
			for range rapid.IntRange(1, 40).Draw(t, "steps") {
				switch what := rapid.IntRange(0, 5).Draw(t, "what"); {
				case what < 3 && open < 100:
					open++
					go func() { results <- w.request(o, Arrival{Safe: what > 0}) }()
				case what == 3:
					time.Sleep(time.Duration(rapid.IntRange(1, 20_000).Draw(t, "ms")) * time.Millisecond)
				default:
					s := w.server([]string{s1, s2, "10.0.0.3:80"}[rapid.IntRange(0, 2).Draw(t, "server")])
					dead := rapid.IntRange(0, 2).Draw(t, "dead")
					s.set(dead == 1, []int{200, 0, 503}[dead])
				}
				synctest.Wait()
			}
			for _, s := range []string{s1, s2, "10.0.0.3:80"} {
				w.server(s).set(false, 200)
			}
			time.Sleep(30 * time.Second)
			synctest.Wait()
			if len(results) != open {
				t.Fatalf("%d of %d requests still wait: %+v", open-len(results), open, o.Snapshot())
			}
			for range open {
				if err := <-results; err != nil && !errors.Is(err, errGivenUp) {
					t.Fatalf("a request ended with %v", err)
				}
			}
			// Safe requests are what brings servers without checks back.
			for range 40 {
				_ = w.request(o, get)
				time.Sleep(time.Second)
			}
			for _, s := range o.Snapshot().Servers {
				if s.State != Up {
					t.Fatalf("%s is still %v: %s", s.Name, s.State, s.Reason)
				}
			}
		})
	})
}

var errGivenUp = errors.New("three attempts failed")

// request is a request with up to three attempts, each 100 ms long. What the
// fake server says to checks it says to requests.
func (w *world) request(o *Origin, a Arrival) error {
	v, err := o.Enter(context.Background(), a)
	if err != nil {
		return err
	}
	defer v.Leave()
	var used []string
	for range 3 {
		l, err := v.Acquire(context.Background(), used, true)
		if err != nil {
			return err
		}
		s := w.server(l.Server())
		time.Sleep(100 * time.Millisecond)
		s.mu.Lock()
		refuse, status := s.refuse, s.status
		s.mu.Unlock()
		switch {
		case refuse:
			l.Report(exchange.Connect, 0)
		case status == 503:
			l.Report(exchange.BadStatus, 503)
		default:
			l.Report(exchange.Success, 200)
			l.Done()
			return nil
		}
		l.Done()
		used = append(used, l.Server())
	}
	return errGivenUp
}

func TestTrial_isNotForVisitorsWhoStickToAnotherServer(t *testing.T) {
	g := &group{trials: 1}
	home := &server{name: "a", machine: machine{health: Up}}
	trial := &server{name: "b", machine: machine{health: Trial}}
	trial.trial.open, trial.trial.openAt = true, day
	g.servers = []*server{home, trial}
	tests := []struct {
		name  string
		v     *visit
		used  []string
		after time.Duration
		want  *server
	}{
		{"a GET takes it at once", &visit{arrival: get}, nil, 0, trial},
		{"a POST does not", &visit{}, nil, 0, nil},
		{"a POST does when no GET came for a second", &visit{}, nil, time.Second, trial},
		{"not who sticks to an eligible server", &visit{arrival: get, home: home}, nil, 0, nil},
		{"who sticks to it, may", &visit{arrival: get, home: trial}, nil, 0, trial},
		{"not who failed there already", &visit{arrival: get}, []string{"b"}, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := g.offerTrial(tt.v, tt.used, day.Add(tt.after)); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
