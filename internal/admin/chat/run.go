package chat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// run does what a command says and returns its answer, before patience is over.
// What takes longer goes on without the chat: no program and no visitor who leaves
// cuts a change in half.
func (e *Endpoint) run(program Program, p *person, c command, begun time.Time, log *slog.Logger) answer {
	if c.changes() && !p.mayChange() {
		log.Warn("chat command refused", "outcome", forbidden)
		return private(forbidden, "Your role here is %s, which looks and does not change anything. Ask somebody with the role operator.", p.role)
	}
	select {
	case e.slots <- struct{}{}:
	default:
		log.Warn("chat command refused: too many are under way", "outcome", full)
		return private(full, "Nothing was done: %d chat commands are under way and none of them ends. Use the command line (evergate status) on the machine.", maxCommands)
	}

	answers := make(chan answer, 1) // so that a late one waits for nobody
	e.working.Add(1)
	go func() {
		defer e.working.Done()
		defer func() { <-e.slots }()
		ctx, cancel := context.WithTimeout(context.Background(), workTime)
		defer cancel()
		a := e.answer(ctx, program, p, c, log)
		log.Info("chat command", "outcome", a.outcome, "took", time.Since(begun))
		answers <- a
	}()

	timer := time.NewTimer(patience - time.Since(begun))
	defer timer.Stop()
	select {
	case a := <-answers:
		return a
	case <-timer.C:
		log.Warn("chat command is still under way; the chat was told to look later", "outcome", late)
		return lateAnswer(c, p)
	}
}

// answer asks the operator. A panic of that side ends one command and not the door.
func (e *Endpoint) answer(ctx context.Context, program Program, p *person, c command, log *slog.Logger) (a answer) {
	defer func() {
		if v := recover(); v != nil {
			log.Error("chat command has panicked", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			a = private(broken, "Evergate made a mistake of its own and does not know whether this was done. Its log has the details.")
		}
	}()
	a, err := e.ask(ctx, program, p, c)
	var no *Refusal
	var conflict *Conflict
	switch {
	case err == nil:
		return a
	case errors.As(err, &no):
		return private(refused, "%s", no.Text)
	case errors.As(err, &conflict):
		return conflictAnswer(conflict.Now, e.clock.Now())
	}
	// Such an error may have anything in it; a channel is no place for that.
	log.Error("chat command could not be done", "error", err)
	if c.changes() {
		return private(broken, "This could not be done, or Evergate cannot tell whether it was: %q shows it. Its log says why.", string(get)+" "+c.lever())
	}
	return private(broken, "Evergate could not find that out; its log says why.")
}

func (e *Endpoint) ask(ctx context.Context, program Program, p *person, c command) (answer, error) {
	switch c.verb {
	case status:
		s, err := e.operator.Status(ctx)
		return statusAnswer(s), err
	case origins:
		all, err := e.operator.Origins(ctx)
		return originsAnswer(all, c.name), err
	case levers:
		all, err := e.operator.Levers(ctx)
		return leversAnswer(all, c.name, e.clock.Now()), err
	case get:
		l, err := e.operator.Lever(ctx, c.name)
		return leverAnswer(l, e.clock.Now()), err
	case set, reset, drain, enable, disable:
		return e.change(ctx, program, p, c)
	default:
		return helpAnswer(p), nil
	}
}

// states are the values of a server's lever, by the verb that sets it.
var states = map[verb]string{drain: "drain", disable: "maint", enable: "up"}

func (e *Endpoint) change(ctx context.Context, program Program, p *person, c command) (answer, error) {
	before, err := e.operator.Lever(ctx, c.lever())
	if err != nil {
		return answer{}, err
	}
	change := Change{
		Lever: before.Name, Value: c.value, Reset: c.verb == reset, Based: before.Version,
		RevertAfter: c.revert, Reason: c.reason, Actor: p.actor, Role: p.role, Program: program,
	}
	if state, ok := states[c.verb]; ok {
		change.Value = state
	}
	changed, err := e.operator.Change(ctx, change)
	if err != nil {
		return answer{}, err
	}
	return changedAnswer(c, p, before, e.clock.Now(), changed), nil
}
