package setting

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// JournalName is the journal's name in data_dir.
const JournalName = "settings.journal"

// maxLine bounds a line of the journal, which holds one value of maxValue bytes
// at most.
const maxLine = 1 << 20

// entry is one line of the journal: something that was done while the store could
// not take it.
type entry struct {
	// Version is the change that was made; nil for a change at a later time and for one
	// that was skipped or cancelled.
	Version *Version `json:"version,omitempty"`
	// Due is the due change that came with the version, or its new state.
	Due *Due `json:"due,omitempty"`
}

// journal is the file on this node's disk that keeps what the store has not taken
// yet. One line an entry: the CRC-32 of the rest in eight hexadecimal digits, a
// space, the entry in JSON. A line that a crash cut was never acknowledged and is
// left out. It is a file of its own and no table of core.db, so that a lever turns
// while core.db is locked, full or damaged too. Safe for concurrent use.
type journal struct {
	path string

	mu     sync.Mutex // guards the fields below
	file   *os.File   // nil: nothing was written yet, or the last write went wrong
	broken bool       // a write or an fsync went wrong: write the file anew (W1)
}

// openJournal reads the journal in dir. damaged counts lines that are neither whole
// nor a last one that a crash cut.
func openJournal(dir string) (j *journal, entries []entry, damaged int, err error) {
	j = &journal{path: filepath.Join(dir, JournalName)}
	content, err := os.ReadFile(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil, 0, nil
	}
	if err != nil {
		return nil, nil, 0, fmt.Errorf("read the journal of settings: %w", err)
	}
	entries, damaged = readEntries(bytes.NewReader(content))
	j.broken = true // whatever a crash left at its end: the first append writes it anew
	return j, entries, damaged, nil
}

// readEntries returns the entries that are whole, and how many lines are not,
// without a cut last one.
func readEntries(r io.Reader) (entries []entry, damaged int) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return entries, damaged // what is left is cut: never acknowledged
		}
		e, ok := parseEntry(bytes.TrimSuffix(line, []byte("\n")))
		if !ok {
			damaged++
			continue
		}
		entries = append(entries, e)
	}
}

func parseEntry(line []byte) (e entry, ok bool) {
	sum, text, found := bytes.Cut(line, []byte(" "))
	if !found || len(line) > maxLine {
		return entry{}, false
	}
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if err != nil || crc32.ChecksumIEEE(text) != uint32(want) || json.Unmarshal(text, &e) != nil {
		return entry{}, false
	}
	return e, e.Version != nil || e.Due != nil
}

func appendEntry(b []byte, e entry) ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	b = fmt.Appendf(b, "%08x ", crc32.ChecksumIEEE(text))
	return append(append(b, text...), '\n'), nil
}

// append makes e durable; before are the entries that the file has, for the case
// that it must be written anew. After an error the entry is not in the journal.
func (j *journal) append(before []entry, e entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil || j.broken {
		return j.rewrite(append(before[:len(before):len(before)], e))
	}
	line, err := appendEntry(nil, e)
	if err != nil {
		return fmt.Errorf("write the journal of settings: %w", err)
	}
	if _, err = j.file.Write(line); err == nil {
		err = j.file.Sync()
	}
	if err == nil {
		return nil
	}
	// Whether the line is on the disk cannot be known (W1). A file without it takes
	// the place of this one; if not even that can be written, nor is the answer given.
	j.broken = true
	if again := j.rewrite(before); again != nil {
		return fmt.Errorf("write the journal of settings: %w", errors.Join(err, again))
	}
	return fmt.Errorf("write the journal of settings: %w", err)
}

// clear empties the journal: the store has everything.
func (j *journal) clear() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.rewrite(nil)
}

// rewrite replaces the file by one with entries.
func (j *journal) rewrite(entries []entry) error {
	var content []byte
	for _, e := range entries {
		var err error
		if content, err = appendEntry(content, e); err != nil {
			return fmt.Errorf("write the journal of settings: %w", err)
		}
	}
	if err := replaceFile(j.path, content); err != nil {
		return fmt.Errorf("write the journal of settings: %w", err)
	}
	if j.file != nil {
		j.file.Close() // it has gone
		j.file = nil
	}
	file, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		j.broken = true // what was asked for is done; the next one tries again
		return nil
	}
	j.file, j.broken = file, false
	return nil
}

// close lets the file go.
func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
}
