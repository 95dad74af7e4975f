package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const (
	figuresEvery   = 2 * time.Second
	heartbeatEvery = 15 * time.Second
	writeDeadline  = 5 * time.Second // for one event
	streamType     = "text/event-stream"
)

// eventTypes are the data of each kind, for the document.
var eventTypes = []struct {
	kind EventKind
	data reflect.Type
}{
	{EventState, reflect.TypeFor[FullState]()},
	{EventLever, reflect.TypeFor[Lever]()},
	{EventServer, reflect.TypeFor[ServerEvent]()},
	{EventCondition, reflect.TypeFor[Condition]()},
	{EventReload, reflect.TypeFor[Reload]()},
	{EventFigures, reflect.TypeFor[Figures]()},
	{EventEnd, reflect.TypeFor[End]()},
}

type eventsRequest struct {
	LastEventID string `header:"Last-Event-ID" maxLength:"100" doc:"Taken and not needed: every stream begins with the full state."`
}

func (a *api) addEvents() {
	const text = "Server-sent events. Each has a name and, as data, one line of JSON of the type below. The first one is the full state, so that a client that comes back needs nothing else. Figures come every two seconds, a comment every 15 seconds when nothing else does, and before Evergate ends a stream, an end event says why. At most %d streams are open, %d of one caller; a client that reads too slowly is dropped."
	add(a, operation{
		id: "follow-events", method: http.MethodGet, path: "/events", tag: tagEvents, role: readers,
		summary: "Follow what happens", doc: fmt.Sprintf(text, maxStreams, maxStreamsEach),
		errors: []int{http.StatusServiceUnavailable},
	}, func(context.Context, Caller, *eventsRequest) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			r, w := humago.Unwrap(ctx)
			a.follow(w, r)
		}}, nil
	})
	described := a.huma.OpenAPI().Paths[base+"/events"].Get.Responses["200"]
	described.Description = "A stream that has no end of its own."
	refs := map[string]any{}
	for _, e := range eventTypes {
		refs[string(e.kind)] = a.huma.OpenAPI().Components.Schemas.Schema(e.data, true, e.data.Name())
	}
	described.Content = map[string]*huma.MediaType{streamType: {Schema: &huma.Schema{
		Type: huma.TypeString, Description: "Events as the HTML standard has them (9.2.5). Their data is of the types in x-evergate-events.",
		Extensions: map[string]any{eventsExtension: refs},
	}}}
}

// eventsExtension is the member of the stream's schema in the document that names
// the types of events.
const eventsExtension = "x-evergate-events"

// follow serves one stream.
func (a *api) follow(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", streamType)
		return
	}
	caller, _ := CallerOf(r.Context())
	l, err := a.Events.listen(caller.Token+"/"+caller.Actor, caller.master)
	if err != nil {
		writeProblem(w, r, &Problem{Status: http.StatusServiceUnavailable, Kind: kindBusy, Detail: err.Error(), retryAfter: writeDeadline})
		return
	}
	defer a.Events.leave(l)
	h := w.Header()
	h.Set("Content-Type", streamType)
	h.Set("X-Accel-Buffering", "no") // for an nginx between us and the client
	if r.ProtoMajor == 1 {
		h.Set("Connection", "close") // the deadline of the last write must meet no other answer
	}
	w.WriteHeader(http.StatusOK)
	s := &stream{w: w, control: http.NewResponseController(w)}

	// Who listens first and reads then misses nothing in between.
	if s.send(Event{EventState, FullState{a.Door.Status(), a.Door.Origins(), a.Levers.Levers()}}) != nil {
		return
	}
	figures := time.NewTicker(figuresEvery)
	defer figures.Stop()
	heartbeat := time.NewTicker(heartbeatEvery)
	defer heartbeat.Stop()
	for {
		var err error
		select {
		case <-r.Context().Done():
			return
		case e, open := <-l.events:
			if !open {
				_ = s.send(Event{EventEnd, l.end}) // it may be that nobody reads
				return
			}
			err = s.send(e)
		case <-figures.C:
			if caller.Token != "" && !a.Tokens.Valid(caller.Token) {
				_ = s.send(Event{EventEnd, End{Reason: "the token was revoked or is over"}})
				return
			}
			err = s.send(Event{EventFigures, a.Door.Figures()})
		case <-heartbeat.C:
			err = s.write([]byte(":\n\n"))
		}
		if err != nil {
			return
		}
	}
}

// stream writes events. Each write has a deadline, and is flushed.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	last    int64 // number of the last event
}

func (s *stream) send(e Event) error {
	data, err := json.Marshal(e.Data)
	if err != nil {
		return fmt.Errorf("write event %s: %w", e.Kind, err)
	}
	s.last++
	var b bytes.Buffer
	fmt.Fprintf(&b, "id: %d\nevent: %s\ndata: %s\n\n", s.last, e.Kind, data) // JSON has no line breaks
	return s.write(b.Bytes())
}

func (s *stream) write(p []byte) error {
	// Without deadlines (a test's recorder), a slow client only keeps its own stream.
	_ = s.control.SetWriteDeadline(time.Now().Add(writeDeadline))
	if _, err := s.w.Write(p); err != nil {
		return err
	}
	return s.control.Flush()
}
