package server

import (
	"errors"
	"slices"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/server/levers"
)

// Reload brings the configuration file into use, as a whole or not at all, for
// actor. It waits for a reload that is under way. All problems are logged, and
// returned.
func (s *Server) Reload(actor string) api.Reload {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	result := api.Reload{Config: s.path}
	if phase(s.phase.Load()) != serving {
		result.Problems = []string{"Evergate is starting or stopping; there is nothing to reload"}
		return result
	}
	s.told(s.notify.Reloading())
	start := time.Now()
	before := s.current.Load().cfg
	var err error
	result.Changes, result.Warnings, err = s.replace()
	result.OK = err == nil
	result.Problems = problemsOf(err)
	result.Levers = levers.Differences(s.current.Load().cfg, before, s.settings.All())
	result.Seconds = time.Since(start).Seconds()

	s.metrics.reloaded(result.OK)
	for _, warning := range result.Warnings {
		s.log.Warn("configuration", "warning", warning)
	}
	for _, problem := range result.Problems {
		s.log.Error("configuration not used", "problem", problem)
	}
	if result.OK {
		s.log.Info("reloaded", "config", s.path, "seconds", result.Seconds, "changes", result.Changes, "levers", result.Levers, "actor", actor)
		s.told(s.notify.Ready("serving"))
	} else {
		s.log.Error("the old configuration stays in use", "config", s.path, "problems", len(result.Problems), "actor", actor)
		s.told(s.notify.Ready("serving; the last reload was refused and the old configuration is in use"))
	}
	s.lastReload.Store(&result)
	s.events.Publish(api.Event{Kind: api.EventReload, Data: result})
	return result
}

// replace swaps in what the file says now. Everything that can fail comes before
// the swap and is undone when something after it fails; nothing after it can.
func (s *Server) replace() (changes, warnings []string, err error) {
	cfg, warnings, err := Load(s.path)
	if err != nil {
		return nil, warnings, err
	}
	old := s.current.Load()
	if cfg.Node.DataDir != old.cfg.Node.DataDir {
		return nil, warnings, errors.New("node.data_dir cannot change while Evergate runs (it is " + old.cfg.Node.DataDir + "); restart instead")
	}
	if err := s.sameStore(old.cfg, cfg); err != nil {
		return nil, warnings, err
	}
	if err := s.keys.Reload(keySources(cfg)); err != nil {
		return nil, warnings, err
	}
	next, err := s.generate(cfg, old)
	if err != nil {
		return nil, warnings, err
	}
	opened, err := s.admin.prepare(cfg)
	if err != nil {
		next.discard()
		return nil, warnings, err
	}
	before := s.listening()
	if err := s.front.Apply(cfg); err != nil {
		opened.drop()
		next.discard()
		return nil, warnings, explained(err)
	}
	s.use(next, old)
	changes = append(changed(before, s.listening()), s.admin.use(opened)...)
	return changes, warnings, nil
}

// listening names what listens now.
func (s *Server) listening() []string {
	http, https := s.front.Addresses()
	var all []string
	for _, a := range http {
		all = append(all, "http "+a)
	}
	for _, a := range https {
		all = append(all, "https "+a)
	}
	return all
}

// problemsOf returns the lines of an error: all of a bad configuration's, else one.
func problemsOf(err error) []string {
	var bad *ConfigError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &bad):
		return bad.Problems
	}
	return []string{err.Error()}
}

// sameStore says what a reload cannot change: what is kept stays where it is.
func (s *Server) sameStore(old, next *config.Config) error {
	if old.Store.URL.Reveal() != next.Store.URL.Reveal() || old.Store.PollOnly != next.Store.PollOnly {
		return errors.New("store cannot change while Evergate runs; restart instead (\"evergate store migrate\" takes along what is kept)")
	}
	return nil
}

// changed says in words which of old are missing in now, and which are new.
func changed(old, now []string) []string {
	var changes []string
	for _, a := range now {
		if !slices.Contains(old, a) {
			changes = append(changes, "opened "+a)
		}
	}
	for _, a := range old {
		if !slices.Contains(now, a) {
			changes = append(changes, "closed "+a)
		}
	}
	return changes
}
