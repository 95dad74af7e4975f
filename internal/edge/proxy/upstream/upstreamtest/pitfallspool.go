package upstreamtest

import (
	"net"
	"sync"
	"testing"
	"time"
)

func (s *suite) poolShrinks(t *testing.T) {
	const burst = 100
	var arrived sync.WaitGroup
	arrived.Add(burst)
	all := make(chan struct{})
	go func() { arrived.Wait(); close(all) }()
	server := Serve(t, func(c *Conn) {
		if c.Request() == nil {
			return
		}
		if c.Number <= burst {
			arrived.Done()
			<-all
		}
		c.Answer("")
		Echo(c)
	})
	tr := s.transport(t, server, Config{IdleTimeout: 500 * time.Millisecond})
	var wg sync.WaitGroup
	for range burst {
		wg.Go(func() { must(t, tr, get("/")) })
	}
	wg.Wait()
	if open := tr.Stats().Open; open != burst {
		t.Fatalf("%d connections after the burst, want %d", open, burst)
	}
	dials := tr.Stats().Dials
	eventually(t, "one or two connections are left", func() bool {
		must(t, tr, get("/"))
		<-time.After(10 * time.Millisecond) // the slow trickle after the burst
		return tr.Stats().Open <= 2
	})
	if now := tr.Stats().Dials; now != dials {
		t.Errorf("%d connections were made after the burst, want none", now-dials)
	}
}

func (s *suite) idleMemory(t *testing.T) {
	if s.traits.IdleBytes == 0 {
		t.Skip("this transport keeps its buffers")
	}
	const connections = 1000
	var arrived sync.WaitGroup
	arrived.Add(connections)
	all := make(chan struct{})
	go func() { arrived.Wait(); close(all) }()
	var mu sync.Mutex
	var kept []net.Conn
	server := Serve(t, func(c *Conn) {
		c.Head()
		arrived.Done()
		<-all
		c.Answer("hello")
		mu.Lock()
		kept = append(kept, c.Keep())
		mu.Unlock()
	})
	tr := s.make(t, Config{Network: server.Network, Address: server.Address, IdleTimeout: time.Minute, ProbeAfter: time.Second, HeaderBytes: 64 << 10, HeaderFields: 200})
	before := heap()
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() { must(t, tr, get("/")) })
	}
	wg.Wait()
	if idle := tr.Stats().Idle; idle < connections*9/10 && idle < 200 {
		t.Fatalf("%d idle connections", idle)
	}
	idle := tr.Stats().Idle
	eventually(t, "the scripts are over", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(kept) == connections
	})
	with := heap()
	per := int(with-before) / idle
	t.Logf("%d bytes per idle connection, with the server's side of it", per)
	if per > s.traits.IdleBytes {
		t.Errorf("%d bytes per idle connection, want at most %d", per, s.traits.IdleBytes)
	}
	tr.Close()
	for _, c := range kept {
		_ = c.Close()
	}
}
