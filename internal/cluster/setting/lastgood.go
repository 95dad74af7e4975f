package setting

import (
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
)

// LastGoodName is the last-good file's name in data_dir.
const LastGoodName = "settings.last-good.json"

// lastGoodFormat is the version of the file's form.
const lastGoodFormat = 1

// lastGood is the settings as last seen in the store, on this node's disk: enough
// to start and to serve without the store, and to give a store that lost its last
// commits what it lost.
type lastGood struct {
	Node    string    `json:"node"`
	Written time.Time `json:"written"`
	Store   string    `json:"store"`
	Rev     int64     `json:"rev"`
	Given   int64     `json:"journal_given"`
	Current []Version `json:"current"` // by key
	Recent  []Version `json:"recent"`  // in the order of commit; the last one has Rev
	Dues    []Due     `json:"due"`     // by id
}

// sealed is the form of the file: Sum is the CRC-32 of the bytes of Settings.
type sealed struct {
	Format   int             `json:"format"`
	Sum      uint32          `json:"crc32"`
	Settings json.RawMessage `json:"settings"`
}

// errDamaged says that the last-good file is no such file.
var errDamaged = errors.New("the file is damaged")

// snapshot is what b knows of the store. What is in the journal stays there.
func (b *book) snapshot(node string, now time.Time) *lastGood {
	rev, _ := b.mark()
	g := &lastGood{Node: node, Written: millis(now), Store: b.store, Rev: rev, Given: b.given, Recent: slices.Clone(b.recent)}
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
	b.store, b.given, b.recent = g.Store, g.Given, g.Recent
	for _, v := range g.Current {
		b.known[v.Key] = v
	}
	b.setDues(g.Dues)
	return b
}

// write puts g in the place of the file in dir.
func (g *lastGood) write(dir string) error {
	text, err := encode(g)
	if err == nil {
		text, err = encode(sealed{Format: lastGoodFormat, Sum: crc32.ChecksumIEEE(text), Settings: text})
	}
	if err == nil {
		err = replaceFile(filepath.Join(dir, LastGoodName), append(text, '\n'))
	}
	if err != nil {
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
	var file sealed
	if err := json.Unmarshal(content, &file); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if file.Format != lastGoodFormat {
		return nil, fmt.Errorf("%w: its format is %d, and this Evergate reads %d", errDamaged, file.Format, lastGoodFormat)
	}
	if crc32.ChecksumIEEE(file.Settings) != file.Sum {
		return nil, fmt.Errorf("%w: its checksum is wrong", errDamaged)
	}
	g := new(lastGood)
	if err := json.Unmarshal(file.Settings, g); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return g, nil
}

// missing reports whether err says that there is no file yet.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
