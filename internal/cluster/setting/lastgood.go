package setting

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

// LastGoodName is the last-good file's name in data_dir.
const LastGoodName = "settings.last-good.json"

// lastGoodFormat is the version of the file's form.
const lastGoodFormat = 1

// lastGood is the settings as last seen in the store, on this node's disk: enough
// to start and to serve without the store, and to give a store that lost its last
// commits what it lost. The file is one line with the CRC-32 of the rest, then JSON.
type lastGood struct {
	Format   int            `json:"format"`
	Node     string         `json:"node"`
	Written  time.Time      `json:"written"`
	Identity store.Identity `json:"identity"`
	Rev      int64          `json:"rev"`
	Current  []Version      `json:"current"` // by key
	Recent   []Version      `json:"recent"`  // in the order of commit
	Dues     []Due          `json:"dues"`
}

// errDamaged says that the last-good file is no such file.
var errDamaged = errors.New("the file is damaged")

// snapshot is what b knows of the store. What is in the journal stays there.
func (b *book) snapshot(node string, now time.Time) *lastGood {
	g := &lastGood{Format: lastGoodFormat, Node: node, Written: now, Identity: b.identity, Rev: b.rev, Recent: slices.Clone(b.recent)}
	for _, key := range slices.Sorted(maps.Keys(b.known)) {
		g.Current = append(g.Current, b.known[key])
	}
	for _, id := range slices.Sorted(maps.Keys(b.dues)) {
		g.Dues = append(g.Dues, b.dues[id])
	}
	return g
}

// restore makes a book of the file.
func (g *lastGood) restore() *book {
	b := newBook()
	b.identity, b.rev, b.recent = g.Identity, g.Rev, g.Recent
	for _, v := range g.Current {
		b.known[v.Key] = v
	}
	b.replaceDues(g.Dues)
	return b
}

// write puts g in the place of the file in dir.
func (g *lastGood) write(dir string) error {
	text, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		return fmt.Errorf("write the last-good settings: %w", err)
	}
	content := fmt.Appendf(nil, "%08x\n%s\n", crc32.ChecksumIEEE(text), text)
	if err := replaceFile(filepath.Join(dir, LastGoodName), content); err != nil {
		return fmt.Errorf("write the last-good settings: %w", err)
	}
	return nil
}

// readLastGood reads the file in dir. Errors wrap fs.ErrNotExist or errDamaged, or
// are the system's.
func readLastGood(dir string) (*lastGood, error) {
	content, err := os.ReadFile(filepath.Join(dir, LastGoodName))
	if err != nil {
		return nil, fmt.Errorf("read the last-good settings: %w", err)
	}
	g, err := parseLastGood(content)
	if err != nil {
		return nil, fmt.Errorf("read the last-good settings: %w", err)
	}
	return g, nil
}

func parseLastGood(content []byte) (*lastGood, error) {
	sum, text, found := bytes.Cut(content, []byte("\n"))
	want, err := hex.DecodeString(string(sum))
	text = bytes.TrimSuffix(text, []byte("\n"))
	if !found || err != nil || len(want) != 4 || !bytes.Equal(want, checksum(text)) {
		return nil, errDamaged
	}
	g := new(lastGood)
	if err := json.Unmarshal(text, g); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if g.Format != lastGoodFormat {
		return nil, fmt.Errorf("%w: its format is %d, and this Evergate reads %d", errDamaged, g.Format, lastGoodFormat)
	}
	return g, nil
}

func checksum(text []byte) []byte {
	sum := crc32.ChecksumIEEE(text)
	return []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}
}

// missing reports whether err says that there is no file yet.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
