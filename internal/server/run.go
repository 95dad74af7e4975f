package server

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/evergate/evergate/internal/edge/gateway/front"
)

// Run serves until ctx ends or a signal says so, drains, and stops everything.
// It returns nil after an orderly stop. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	defer s.stop()
	if err := s.start(); err != nil {
		return err
	}
	force, release := s.untilTold(ctx)
	defer release()
	s.drain(force)
	return nil
}

// untilTold serves signals until one of them, or the end of ctx, says that the
// server should stop. The context that it returns ends when the operator asks a
// second time; release ends it too.
func (s *Server) untilTold(ctx context.Context) (force context.Context, release context.CancelFunc) {
	force, release = context.WithCancel(context.Background())
	var reloads sync.WaitGroup
	defer reloads.Wait()
	for {
		select {
		case <-ctx.Done():
			return force, release
		case sig := <-s.signals:
			switch sig {
			case syscall.SIGHUP:
				reloads.Go(func() { s.Reload("SIGHUP") })
			case syscall.SIGUSR1:
				s.reopenLogs()
			default:
				s.log.Info("stopping", "signal", sig.String())
				go s.secondSignal(force, release)
				return force, release
			}
		}
	}
}

// secondSignal calls force when the operator is tired of waiting.
func (s *Server) secondSignal(ctx context.Context, force context.CancelFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case sig := <-s.signals:
			if sig == os.Interrupt || sig == syscall.SIGTERM {
				s.log.Warn("stopping at once", "signal", sig.String())
				force()
				return
			}
		}
	}
}

// takeSignals makes signals arrive at s instead of ending the process. The access
// log goes to standard output by default: whoever ends that pipe (a "| jq", say)
// loses lines, which are counted, and must not end the door.
func (s *Server) takeSignals() (release func()) {
	s.signals = make(chan os.Signal, 8)
	signal.Notify(s.signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTERM, os.Interrupt)
	signal.Ignore(syscall.SIGPIPE)
	return func() {
		signal.Stop(s.signals)
		signal.Reset(syscall.SIGPIPE)
	}
}

// drain lets requests under way end, within the times of the configuration
// (guide, section 4.3(1)); the end of force skips what is left of them.
func (s *Server) drain(force context.Context) {
	s.reloading.Lock() // a reload under way ends first, and none begins any more
	s.phase.Store(int32(draining))
	s.reloading.Unlock()
	s.metrics.ready.Set(0)
	s.told(s.notify.Stopping("draining"))

	now := s.current.Load()
	times := now.cfg.Drain
	s.log.Info("draining", "accept_grace", times.AcceptGrace.D(), "timeout", times.Timeout.D())
	if err := s.front.Drain(force, times, front.Hooks{Tunnels: now.proxy.DrainTunnels}); err != nil {
		s.log.Warn("some requests did not end in time and were cut", "error", err)
	}
	s.log.Info("stopped")
}
