package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/evergate/evergate/internal/admin/client"
)

// shower shows answers as they come, and notes about the connection.
type shower[T any] interface {
	begin() error
	show(answer client.Answer[T]) error
	note(text string) error // "" takes the last one back
	end() error
}

const connectedAgain = "connected again"

// screenShower redraws the whole picture.
type screenShower[T any] struct {
	screen *screen
	text   func(T, time.Time) []string

	last []string // the picture
	lost string   // the note, "" while connected
}

func (s *screenShower[T]) begin() error { return s.screen.enter() }

func (s *screenShower[T]) show(answer client.Answer[T]) error {
	s.last = s.text(answer.Value, answer.At)
	return s.draw()
}

func (s *screenShower[T]) note(text string) error {
	s.lost = text
	return s.draw()
}

func (s *screenShower[T]) draw() error {
	if s.lost == "" {
		return s.screen.draw(s.last)
	}
	lines := append(wrap("", s.lost), "What follows is what was known before.", "")
	return s.screen.draw(append(lines, s.last...))
}

// end leaves the last picture behind: it is what the person has in mind.
func (s *screenShower[T]) end() error {
	if err := s.screen.leave(); err != nil {
		return err
	}
	return writeLines(s.screen.out, s.last)
}

// lineShower prints the facts that are new or have changed, and those that are
// over, each with the time of day.
type lineShower[T any] struct {
	out   io.Writer
	facts func(T) []entry
	known map[string]entry // by key
}

func (s *lineShower[T]) begin() error { return nil }
func (s *lineShower[T]) end() error   { return nil }

func (s *lineShower[T]) show(answer client.Answer[T]) error {
	now := map[string]entry{}
	for _, e := range s.facts(answer.Value) {
		now[e.key] = e
		if s.known[e.key].text != e.text {
			if err := s.line(e.text); err != nil {
				return err
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.known)) {
		if _, still := now[key]; !still && s.known[key].gone != "" {
			if err := s.line(s.known[key].gone); err != nil {
				return err
			}
		}
	}
	s.known = now
	return nil
}

func (s *lineShower[T]) note(text string) error {
	if text == "" {
		text = connectedAgain
	}
	return s.line(text)
}

func (s *lineShower[T]) line(text string) error {
	_, err := fmt.Fprintf(s.out, "%s %s\n", time.Now().Format(time.TimeOnly), clean(text))
	return err
}

// jsonShower prints every answer as one line of JSON. Notes go to standard error.
type jsonShower[T any] struct{ out, errs io.Writer }

func (s *jsonShower[T]) begin() error { return nil }
func (s *jsonShower[T]) end() error   { return nil }

func (s *jsonShower[T]) show(answer client.Answer[T]) error {
	var b bytes.Buffer
	if err := json.Compact(&b, answer.JSON); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	b.WriteByte('\n')
	_, err := s.out.Write(b.Bytes())
	return err
}

func (s *jsonShower[T]) note(text string) error {
	if text == "" {
		text = connectedAgain
	}
	_, err := fmt.Fprintln(s.errs, clean(text))
	return err
}
