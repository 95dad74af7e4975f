package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"
)

// maxSocketPath is what fits into a unix socket's address (unix(7): 108 bytes
// with the zero at the end).
const maxSocketPath = 107

// Operator does what the commands ask for.
type Operator interface {
	// Reload reads the configuration again. It goes on when ctx ends: half a
	// reload would be worse than one that nobody waits for.
	Reload(ctx context.Context) Result
	Status() Status
}

// Server answers on the socket.
type Server struct {
	http http.Server
	done chan error
}

// Listen opens the socket, for its owner only. A socket file that a dead
// process left behind is replaced; when somebody answers on it, that is an error.
func Listen(path string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("admin socket %s: the path has %d bytes and the system allows %d; choose a shorter node.data_dir", path, len(path), maxSocketPath)
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != os.ModeSocket {
			return nil, fmt.Errorf("admin socket %s: there is something else with this name", path)
		}
		if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
			conn.Close()
			return nil, fmt.Errorf("admin socket %s: another Evergate is already running and answers there", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("remove the admin socket of a dead process: %w", err)
		}
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open admin socket: %w", err)
	}
	// Between the two calls the folder's own mode (0700) keeps others out.
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("open admin socket: %w", err)
	}
	return listener, nil
}

// Serve answers on listener until Close.
func Serve(listener net.Listener, op Operator, log *slog.Logger) *Server {
	s := &Server{done: make(chan error, 1)}
	s.http = http.Server{
		Handler:           handler(op),
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	go func() { s.done <- s.http.Serve(listener) }()
	return s
}

// Close stops answering, waits until ctx ends for what is under way, and
// returns the error with which serving had ended, if it was not Close's doing.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		s.http.Close()
	}
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		return fmt.Errorf("serve admin socket: %w", served)
	}
	return err
}

// handler is the API itself.
func handler(op Operator) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, op.Status())
	})
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, r *http.Request) {
		result := op.Reload(context.WithoutCancel(r.Context()))
		status := http.StatusOK
		if !result.OK {
			status = http.StatusUnprocessableEntity
		}
		answer(w, status, result)
	})
	return mux
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that left does not want to know
}
