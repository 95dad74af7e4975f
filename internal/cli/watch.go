package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/admin/client"
	"github.com/evergate/evergate/internal/clock"
)

// gather is how long a watch waits after an event for those that come with it.
const gather = 200 * time.Millisecond

// entry is one fact of an answer that is worth a line when it changes: without
// ages and figures, which change by themselves.
type entry struct {
	key  string // of what it is about
	text string
	gone string // what is said when it is not there any more; "": nothing
}

// view is a question that can be asked again and again.
type view[T any] struct {
	question[T]
	facts func(answer T) []entry
}

func addWatch(cmd *cobra.Command, on *bool) {
	cmd.Flags().BoolVarP(on, "watch", "w", false, "go on until Ctrl-C: redraws on a terminal, elsewhere prints what changes")
}

// watch asks, shows the answer, and again whenever an event says that something
// has changed: events are hints, the answers are the truth. A connection that
// breaks is told, and got back.
func (v view[T]) watch(cmd *cobra.Command, from *connection, form string, args []string) error {
	asJSON, err := wantsJSON(form)
	if err != nil {
		return err
	}
	c, err := from.open(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var show shower[T]
	terminal := screenFor(cmd.OutOrStdout())
	switch {
	case asJSON:
		show = &jsonShower[T]{out: cmd.OutOrStdout(), errs: cmd.ErrOrStderr()}
	case terminal != nil:
		show = &screenShower[T]{screen: terminal, text: v.text}
	default:
		show = &lineShower[T]{out: cmd.OutOrStdout(), facts: v.facts, known: map[string]entry{}}
	}
	return v.follow(ctx, c, args, show)
}

func (v view[T]) follow(ctx context.Context, c *client.Client, args []string, show shower[T]) (err error) {
	first, err := v.once(ctx, c, args)
	if err != nil {
		return withAdvice(err)
	}
	if err := show.begin(); err != nil {
		return err
	}
	defer func() {
		if ended := show.end(); err == nil {
			err = ended
		}
	}()
	if err := show.show(first); err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(ctx)
	news := &hints{changed: make(chan struct{}, 1), notes: make(chan string)}
	ended := make(chan error, 1)
	news.done = ctx.Done()
	go func() { ended <- c.Follow(ctx, news) }()
	defer func() {
		cancel()
		if followed := <-ended; err == nil {
			err = followed
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			ended <- nil // for the one who waits above
			return err
		case note := <-news.notes:
			if err := show.note(note); err != nil {
				return err
			}
		case <-news.changed:
			if !clock.Sleep(ctx, gather) {
				return nil
			}
			answer, err := v.once(ctx, c, args)
			if err != nil {
				continue // the stream will break too, and say so; or the next event asks again
			}
			if err := show.show(answer); err != nil {
				return err
			}
		}
	}
}

// hints is the client.Follower of a watch.
type hints struct {
	changed chan struct{} // room for one: more would say nothing more
	notes   chan string
	done    <-chan struct{}
}

func (h *hints) Event(client.Event) error {
	select {
	case h.changed <- struct{}{}:
	default:
	}
	return nil
}

func (h *hints) Lost(err error, pause time.Duration) {
	h.note(fmt.Sprintf("connection lost: %v; trying again in %s", err, span(pause)))
}

func (h *hints) Back() { h.note("") }

func (h *hints) note(text string) {
	select {
	case h.notes <- text:
	case <-h.done:
	}
}
