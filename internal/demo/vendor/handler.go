package vendor

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/evergate/evergate/internal/clock"
)

// work is how long a server takes for an answer that it gives properly.
const work = 3 * time.Millisecond

// Order is the body of POST /orders.
type Order struct {
	Order   string `json:"order"` // the client's own number, by which an order is carried out once
	Patient string `json:"patient"`
	Test    string `json:"test"`
}

// handler is the API: GET /patients/{id}, GET /results/{id}, POST /orders, and
// GET /healthz, which never fails while the server is open.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		s.goodbye(w)
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /patients/{id}", func(w http.ResponseWriter, r *http.Request) {
		s.answer(w, r, "", http.StatusOK, fmt.Sprintf(`{"patient":%q,"name":"Sample Person","ward":"C 4","notes":%q}`,
			r.PathValue("id"), strings.Repeat("No change since the last round. ", 20)))
	})
	mux.HandleFunc("GET /results/{id}", func(w http.ResponseWriter, r *http.Request) {
		s.answer(w, r, "", http.StatusOK, fmt.Sprintf(`{"result":%q,"kind":"X-ray, chest","report":%q}`,
			r.PathValue("id"), strings.Repeat("Lungs clear, heart of normal size. ", 60)))
	})
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16))
		if err != nil {
			http.Error(w, "the order did not come whole: nothing was done", http.StatusBadRequest)
			return
		}
		var order Order
		if err := json.Unmarshal(text, &order); err != nil || order.Order == "" {
			http.Error(w, `want {"order": "your number", "patient": "...", "test": "..."}`, http.StatusBadRequest)
			return
		}
		s.answer(w, r, order.Order, http.StatusCreated, fmt.Sprintf(`{"order":%q,"state":"accepted"}`, order.Order))
	})
	return mux
}

// answer carries the order out (if there is one) and gives the answer, or does
// with them what the request's fault says.
func (s *server) answer(w http.ResponseWriter, r *http.Request, order string, status int, body string) {
	c := r.Context().Value(connKey{}).(*conn)
	fault := Fault(c.fault.Load())
	s.ledger.received(Receipt{Server: s.address, ID: r.Header.Get("X-Request-Id"), Attempt: r.Header.Get("Evergate-Attempt"),
		Method: r.Method, Order: order, Fault: fault})
	if order != "" && fault.applies() {
		s.ledger.apply(order)
	}
	s.goodbye(w)
	switch fault {
	case ResetRead, ResetApplied:
		c.reset()
	case Slow, SlowApplied:
		clock.Sleep(r.Context(), s.slow)
		s.write(w, status, body)
	case Status500, Status500Applied:
		s.write(w, http.StatusInternalServerError, `{"error":"internal error"}`)
	case Status503:
		s.write(w, http.StatusServiceUnavailable, `{"error":"overloaded"}`)
	case Declined:
		w.Header().Set("Retry-After", "1")
		s.write(w, http.StatusServiceUnavailable, `{"error":"not now, nothing was done"}`)
	case Cut:
		s.cut(w, c, status, body)
	default:
		clock.Sleep(r.Context(), work)
		s.write(w, status, body)
	}
}

func (s *server) write(w http.ResponseWriter, status int, body string) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	fmt.Fprint(w, body) // who does not read it has left
}

// cut promises the whole body, gives half of it and closes the connection.
func (s *server) cut(w http.ResponseWriter, c *conn, status int, body string) {
	s.write(halfWriter{w}, status, body)
	_ = http.NewResponseController(w).Flush() // as above
	c.Close()
}

// halfWriter writes half of what it is given.
type halfWriter struct{ http.ResponseWriter }

func (h halfWriter) Write(p []byte) (int, error) {
	return h.ResponseWriter.Write(p[:len(p)/2])
}

// goodbye lets a connection end after this answer while the server is closed.
// Both sides know it then, so that no request is lost on a connection that closes.
func (s *server) goodbye(w http.ResponseWriter) {
	if s.closed.Load() {
		w.Header().Set("Connection", "close")
	}
}
