package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"github.com/evergate/evergate/internal/cluster/store/dialect"
)

// seenFile holds the newest timeline that was seen of each PostgreSQL.
const seenFile = "store.seen.json"

// seen remembers timelines, also over a restart, so that a former primary that
// comes back is not taken for the present one.
type seen struct {
	path string // "": in memory only
	log  *slog.Logger

	mu        sync.Mutex
	timelines map[string]int64 // by system identifier
}

// openSeen reads what was seen. A damaged file counts as none: it protects
// against a rare accident and must not cause one.
func openSeen(dir string, log *slog.Logger) *seen {
	s := &seen{log: log, timelines: map[string]int64{}}
	if dir == "" {
		return s
	}
	s.path = filepath.Join(dir, seenFile)
	text, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return s
	}
	if err == nil {
		err = json.Unmarshal(text, &s.timelines)
	}
	if err != nil || s.timelines == nil {
		s.timelines = map[string]int64{}
		log.Warn("the timelines last seen of PostgreSQL cannot be read and are learned anew", "file", s.path, "error", err)
	}
	return s
}

// check refuses a timeline older than the last one of the same system, and
// remembers a newer one.
func (s *seen) check(id Identity) error {
	if id.System == "" || id.Timeline == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.timelines[id.System]
	if id.Timeline < last {
		return &dialect.Fault{
			Kind:  ErrOldTimeline,
			Doing: fmt.Sprintf("open the store: PostgreSQL is on timeline %d, and %d was seen before", id.Timeline, last),
			Advice: fmt.Sprintf("A standby was promoted, and this is the primary from before: what was written since is not in it. Stop it, or rebuild it as a standby, and let store.url name the present primary. If you want to go back to it all the same, remove %s and restart Evergate.",
				s.path),
		}
	}
	if id.Timeline == last {
		return nil
	}
	timelines := maps.Clone(s.timelines)
	timelines[id.System] = id.Timeline
	s.timelines = timelines
	if s.path == "" {
		return nil
	}
	if err := s.save(); err != nil {
		s.log.Warn("write down the timeline of PostgreSQL", "error", err)
	}
	return nil
}

func (s *seen) save() error {
	text, err := json.Marshal(s.timelines)
	if err != nil {
		return err
	}
	return replaceFile(s.path, append(text, '\n'))
}

// replaceFile writes a file so that a crash leaves the old or the new one whole.
func replaceFile(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) //nolint:errcheck // gone after the rename
	if _, err = file.Write(content); err == nil {
		err = file.Sync()
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("fsync %s: %w", dir, err)
	}
	return nil
}
