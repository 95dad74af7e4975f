package setting

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// JournalName is the journal's name in data_dir.
const JournalName = "settings.journal"

// The bounds of the journal.
const (
	maxJournal      = 10000    // entries
	maxJournalBytes = 32 << 20 // about
)

// journal is the file on this node's disk that keeps what the store has not taken
// yet, one line an entry. A line that a crash cut was never acknowledged and is left
// out. It is a file of its own and no table of core.db, so that a lever turns while
// core.db is locked, full or damaged too. Safe for concurrent use.
type journal struct {
	path string

	mu    sync.Mutex // guards the fields below
	file  *os.File   // nil: the next write begins the file anew
	size  int64      // of file, what is durable
	empty bool       // the file has no line, or is not there
	err   error      // of the last write
}

// openJournal reads the journal in dir. damaged counts lines that are neither whole
// nor a last one that a crash cut. After an error the journal is of use all the same,
// as an empty one.
func openJournal(dir string) (j *journal, entries []entry, damaged int, err error) {
	j = &journal{path: filepath.Join(dir, JournalName)}
	content, err := os.ReadFile(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		j.empty = true
		return j, nil, 0, nil
	}
	if err != nil {
		return j, nil, 0, fmt.Errorf("read the journal of settings: %w", err)
	}
	// The file stays closed: whatever a crash left at its end, the first append writes
	// it anew.
	entries, damaged = readEntries(bytes.NewReader(content))
	return j, entries, damaged, nil
}

// append makes entries durable. before are those that the file has, for the case
// that it must be written anew. After an error none of entries is in the journal;
// with ErrUnsure they may be there after a restart.
func (j *journal) append(before, entries []entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = j.write(before, entries)
	return j.err
}

func (j *journal) write(before, entries []entry) error {
	if j.file == nil {
		return j.rewrite(append(before[:len(before):len(before)], entries...))
	}
	lines, err := appendLines(entries)
	if err != nil {
		return err
	}
	if _, err = j.file.Write(lines); err == nil {
		if err = j.file.Sync(); err == nil {
			j.size += int64(len(lines))
			return nil
		}
	} else if j.file.Truncate(j.size) == nil { // a full disk, say
		j.drop()
		return fmt.Errorf("write the journal of settings: %w", err)
	}
	// Whether the lines are on the disk cannot be known (W1). A file without them takes
	// the place of this one, so that nothing comes back that was refused.
	again := j.rewrite(before)
	if again == nil {
		return fmt.Errorf("write the journal of settings: %w", err)
	}
	j.drop()
	return fmt.Errorf("%w: write the journal of settings: %w", ErrUnsure, errors.Join(err, again))
}

// clear empties the journal: the store has everything.
func (j *journal) clear() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.empty {
		return nil
	}
	j.err = j.rewrite(nil)
	return j.err
}

// rewrite replaces the file by one with entries.
func (j *journal) rewrite(entries []entry) error {
	content, err := appendLines(entries)
	if err != nil {
		return err
	}
	if err := replaceFile(j.path, content); err != nil {
		return fmt.Errorf("write the journal of settings: %w", err)
	}
	j.drop()
	j.empty = len(entries) == 0
	// What was asked for is done, so a file that cannot be opened is no failure: the
	// next append begins it anew.
	j.file, _ = os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0o600)
	j.size = int64(len(content))
	return nil
}

// drop lets the file go.
func (j *journal) drop() {
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
	j.empty = false
}

func appendLines(entries []entry) (lines []byte, err error) {
	for _, e := range entries {
		if lines, err = appendEntry(lines, e); err != nil {
			return nil, fmt.Errorf("write the journal of settings: %w", err)
		}
	}
	return lines, nil
}

// isEmpty reports whether the file has no line.
func (j *journal) isEmpty() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.empty
}

// state returns the error of the last write.
func (j *journal) state() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// close lets the file go.
func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.drop()
}
