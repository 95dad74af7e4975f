package setting

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
)

// maxLine bounds a line of the journal, which holds one value of maxValue bytes and
// few due changes.
const maxLine = 1 << 20

// entry is one line of the journal: something that was done while the store could
// not take it.
type entry struct {
	// Seq rises by one from line to line, over the life of the node. The last-good file
	// says up to which one the store has them.
	Seq int64 `json:"seq"`
	// Version is the change that was made; nil for a change at a later time and for due
	// changes that were skipped or cancelled.
	Version *Version `json:"version,omitempty"`
	// Base is the id of the version that the entry was made on; "": there was none. The
	// numbers of versions in a journal are provisional; ids are not.
	Base string `json:"base,omitempty"`
	// Dues are due changes that came with it, or what became of them. In Pending they
	// are based on Version, without one on Base.
	Dues []Due `json:"dues,omitempty"`

	// lost says that the store had it already; such entries are in no journal.
	lost bool
}

// made reports whether a due change made the version of e.
func (e entry) made() bool {
	for _, d := range e.Dues {
		if e.Version != nil && d.ID == e.Version.ID {
			return true
		}
	}
	return false
}

// size is about what e takes, in bytes.
func (e entry) size() int {
	n := 512
	if e.Version != nil {
		n += len(e.Version.Value)
	}
	for _, d := range e.Dues {
		n += 512 + len(d.Value)
	}
	return n
}

// readEntries returns the entries that are whole, and how many lines are not. A
// last line that a crash cut is neither: it was never acknowledged.
func readEntries(r io.Reader) (entries []entry, damaged int) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return entries, damaged
		}
		e, ok := parseEntry(bytes.TrimSuffix(line, []byte("\n")))
		if !ok {
			damaged++
			continue
		}
		entries = append(entries, e)
	}
}

// parseEntry reads a line: the CRC-32 of the rest in eight hexadecimal digits, a
// space, the entry in JSON.
func parseEntry(line []byte) (e entry, ok bool) {
	sum, text, found := bytes.Cut(line, []byte(" "))
	if !found || len(sum) != 8 || len(line) > maxLine {
		return entry{}, false
	}
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if err != nil || crc32.ChecksumIEEE(text) != uint32(want) || json.Unmarshal(text, &e) != nil {
		return entry{}, false
	}
	return e, e.Version != nil || len(e.Dues) > 0
}

// appendEntry adds the line of e to b.
func appendEntry(b []byte, e entry) ([]byte, error) {
	text, err := encode(e)
	if err != nil {
		return nil, err
	}
	b = fmt.Appendf(b, "%08x ", crc32.ChecksumIEEE(text))
	return append(append(b, text...), '\n'), nil
}

// encode is v in JSON on one line, with the values of settings as they are: what
// json.Marshal escapes for pages would come back as other bytes.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
