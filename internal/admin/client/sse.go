package client

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxEvent bounds the bytes of one event; the first one carries a whole state.
const maxEvent = 8 << 20

var errEventTooLarge = fmt.Errorf("an event has more than %d MiB", maxEvent>>20)

// Event is one server-sent event.
type Event struct {
	ID   string // the last one that was sent, "" if none was
	Name string // of its kind; "message" where none is given
	Data []byte // its lines, joined by "\n"
}

// eventReader reads a stream of server-sent events as the HTML standard
// describes it (9.2.6, "Interpreting an event stream").
type eventReader struct {
	lines *bufio.Scanner
	first bool // nothing was read yet
	id    string
	heard func() // called for every line, comments as well; may be nil
}

func newEventReader(r io.Reader, heard func()) *eventReader {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEvent)
	lines.Split(eventLine)
	return &eventReader{lines: lines, first: true, heard: heard}
}

// next returns the next event with data. Errors: io.EOF at the end of the stream,
// where an unfinished event is dropped, and those of the reader.
func (r *eventReader) next() (Event, error) {
	var name string
	var data []byte
	some := false
	for r.lines.Scan() {
		line := r.lines.Text()
		if r.heard != nil {
			r.heard()
		}
		if r.first {
			line, r.first = strings.TrimPrefix(line, "\ufeff"), false
		}
		if line == "" {
			if some {
				if name == "" {
					name = "message"
				}
				return Event{ID: r.id, Name: name, Data: data}, nil
			}
			name = ""
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			name = value
		case "data":
			if some {
				data = append(data, '\n')
			}
			if len(data)+len(value) > maxEvent {
				return Event{}, errEventTooLarge
			}
			data, some = append(data, value...), true
		case "id":
			if !strings.ContainsRune(value, 0) {
				r.id = value
			}
		}
	}
	if err := r.lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return Event{}, errEventTooLarge
	} else if err != nil {
		return Event{}, err
	}
	return Event{}, io.EOF
}

// eventLine is a bufio.SplitFunc for lines that end in CR, LF or both. A line
// without an end is dropped: what it belonged to did not arrive whole.
func eventLine(data []byte, atEOF bool) (advance int, token []byte, err error) {
	i := bytes.IndexAny(data, "\r\n")
	if i < 0 {
		if atEOF {
			return len(data), nil, nil
		}
		return 0, nil, nil
	}
	if data[i] == '\n' {
		return i + 1, data[:i], nil
	}
	if i+1 < len(data) {
		if data[i+1] == '\n' {
			return i + 2, data[:i], nil
		}
		return i + 1, data[:i], nil
	}
	if atEOF {
		return i + 1, data[:i], nil
	}
	return 0, nil, nil // the LF may be still to come
}
