package demo

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	redrawEvery = 500 * time.Millisecond // on a terminal
	lineEvery   = 5 * time.Second        // elsewhere
)

// view shows the figures while the demo runs.
type view struct {
	out    io.Writer
	screen *screen // nil: out is no terminal
	head   []line  // what stands above and below the figures
	places []line
	now    func(ctx context.Context) figures
}

// introduce says what will be shown and where to look; it stays on the terminal.
func (v *view) introduce() error {
	for _, l := range append(append([]line{}, v.head...), v.places...) {
		if _, err := fmt.Fprintln(v.out, l.render(1000, v.screen != nil && v.screen.color)); err != nil {
			return fmt.Errorf("show the demo: %w", err)
		}
	}
	return nil
}

// run shows the figures until ctx ends. On a terminal it puts back what was there
// before. Errors are those of the terminal.
func (v *view) run(ctx context.Context) (err error) {
	every := lineEvery
	if v.screen != nil {
		every = redrawEvery
		if err := v.screen.enter(); err != nil {
			return err
		}
		defer func() { err = cmp.Or(err, v.screen.leave()) }()
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		f := v.now(ctx)
		if v.screen == nil {
			if _, err := fmt.Fprintln(v.out, f.sentence()); err != nil {
				return fmt.Errorf("show the figures: %w", err)
			}
			continue
		}
		if err := v.screen.draw(func(width int) []line { return v.picture(&f, width) }); err != nil {
			return err
		}
	}
}

// picture is everything that there is to see.
func (v *view) picture(f *figures, width int) []line {
	lines := append([]line{}, v.head...)
	lines = append(lines, line{{faint, fmt.Sprintf("running for %v; Ctrl-C stops", f.ran.Truncate(time.Second))}}, nil)
	lines = append(lines, f.table()...)
	lines = append(lines, nil)
	lines = append(lines, f.orders()...)
	lines = append(lines, nil)
	lines = append(lines, f.machines()...)
	lines = append(lines, nil)
	lines = append(lines, v.places...)
	lines = append(lines, nil)
	return append(lines, legend(min(width, 100))...)
}

// summary is the last word, for the place where the command was typed.
func (v *view) summary(f *figures) error {
	width, color := narrowest, false
	if v.screen != nil {
		width, _ = v.screen.size()
		color = v.screen.color
	}
	width = min(max(width, narrowest), 100)
	lines := append([]line{nil}, f.table()...)
	lines = append(lines, nil)
	lines = append(lines, f.orders()...)
	lines = append(lines, nil)
	lines = append(lines, f.machines()...)
	if missing := f.get.sent + f.post.sent - f.get.logged - f.post.logged; missing != 0 {
		lines = append(lines, line{{bad, fmt.Sprintf("%d requests are missing in the door's log, so the figures without the door lack them", missing)}})
	}
	lines = append(lines, nil)
	lines = append(lines, legend(width)...)
	for _, l := range lines {
		if _, err := fmt.Fprintln(v.out, l.render(width, color)); err != nil {
			return fmt.Errorf("show the summary: %w", err)
		}
	}
	return nil
}

// sources adds to what the tally knows what only others know.
type sources struct {
	tally   *tally
	applied func() (orders, again int)
	start   time.Time
	web     *http.Client
	admin   string
	states  map[string]string // the last ones that could be had
}

// now is the figures of this moment. A door that does not answer for its states
// leaves the last ones.
func (s *sources) now(ctx context.Context) figures {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if states, err := serverStates(ctx, s.web, s.admin); err == nil {
		s.states = states
	}
	return s.last()
}

// last is the figures without asking anybody.
func (s *sources) last() figures {
	f := s.tally.figures()
	f.ran = time.Since(s.start)
	_, f.twice = s.applied()
	f.states = s.states
	return f
}
