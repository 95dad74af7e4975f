package token

import (
	"context"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/cluster/setting"
)

var start = time.Date(2021, 6, 8, 7, 0, 0, 0, time.UTC)

// memory keeps settings as the real ones do, and forgets them with the test.
type memory struct {
	mu  sync.Mutex // guards the field below
	all map[string]setting.Version

	before func() // called before each change, once
	fails  error
}

func newMemory() *memory { return &memory{all: map[string]setting.Version{}} }

func (m *memory) Current(key string) (setting.Version, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.all[key]
	return v, ok
}

func (m *memory) All() []setting.Version {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []setting.Version
	for _, v := range m.all {
		all = append(all, v)
	}
	return all
}

func (m *memory) Put(_ context.Context, c setting.Change) (setting.Result, error) {
	if before := m.before; before != nil {
		m.before = nil
		before()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails != nil {
		return setting.Result{}, m.fails
	}
	if err := Check(c.Key, c.Value); err != nil {
		return setting.Result{}, err
	}
	if v := m.all[c.Key]; v.Number != c.Based {
		return setting.Result{}, &setting.ConflictError{Current: v}
	}
	v := setting.Version{Key: c.Key, Number: c.Based + 1, Value: c.Value, Actor: c.Actor, Reason: c.Reason}
	m.all[c.Key] = v
	return setting.Result{Version: v, Stored: setting.InStore}, nil
}
