package setting

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func entryOf(seq int64, text string) entry {
	return entry{Seq: seq, Base: "base", Version: &Version{
		Key: "k", Number: seq, ID: fmt.Sprint("id-", seq), Value: value(text), Actor: "ann", Reason: "r",
		At: time.Date(2021, 6, 8, 7, 0, 0, 0, time.UTC), Provisional: true,
	}}
}

// reopened returns what a new process finds.
func reopened(t *testing.T, dir string) (values []string, damaged int) {
	t.Helper()
	j, entries, damaged, err := openJournal(dir)
	must(t, err)
	defer j.close()
	for _, e := range entries {
		values = append(values, string(e.Version.Value))
	}
	return values, damaged
}

func wantJournal(t *testing.T, dir, want string, wantDamaged int) {
	t.Helper()
	values, damaged := reopened(t, dir)
	if got := strings.Join(values, " "); got != want || damaged != wantDamaged {
		t.Errorf("the journal has %q and %d damaged lines, want %q and %d", got, damaged, want, wantDamaged)
	}
}

func TestJournal_KeepsWhatWasAppended(t *testing.T) {
	dir := t.TempDir()
	j, _, _, err := openJournal(dir)
	must(t, err)
	defer j.close()
	must(t, j.append(nil, []entry{entryOf(1, `"<a&b>"`)}))
	must(t, j.append([]entry{entryOf(1, `"<a&b>"`)}, []entry{entryOf(2, "2"), entryOf(3, "3")}))
	wantJournal(t, dir, `"<a&b>" 2 3`, 0)
	must(t, j.clear())
	wantJournal(t, dir, "", 0)
	if !j.isEmpty() {
		t.Error("it says that it is not empty")
	}
}

func TestJournal_ReadsAroundDamage(t *testing.T) {
	var whole []byte
	for i := range int64(3) {
		whole, _ = appendEntry(whole, entryOf(i+1, fmt.Sprint(i+1)))
	}
	second := bytes.IndexByte(whole, '\n') + 1
	flipped := bytes.Clone(whole)
	flipped[second+20] ^= 1
	tests := []struct {
		name    string
		content []byte
		want    string
		damaged int
	}{
		{"a last line that was cut was never acknowledged", whole[:len(whole)-10], "1 2", 0},
		{"a last line without its end likewise", whole[:len(whole)-1], "1 2", 0},
		{"a flipped bit costs its line", flipped, "1 3", 1},
		{"nothing at all", nil, "", 0},
		{"zeros, as after a power cut", make([]byte, 4096), "", 0},
		{"lines of something else", []byte("hello\n\n00000000 {}\n"), "", 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.WriteFile(filepath.Join(dir, JournalName), tt.content, 0o600))
			wantJournal(t, dir, tt.want, tt.damaged)

			// What is appended later is readable, whatever the end was like.
			j, entries, _, err := openJournal(dir)
			must(t, err)
			defer j.close()
			must(t, j.append(entries, []entry{entryOf(9, "9")}))
			wantJournal(t, dir, strings.TrimSpace(tt.want+" 9"), 0)
		})
	}
}

func TestJournal_WhatWasRefusedDoesNotComeBack(t *testing.T) {
	dir := t.TempDir()
	j, _, _, err := openJournal(dir)
	must(t, err)
	defer j.close()
	first := []entry{entryOf(1, "1")}
	must(t, j.append(nil, first))
	j.file.Close() // as a device that has gone
	if err := j.append(first, []entry{entryOf(2, "2")}); err == nil || errors.Is(err, ErrUnsure) {
		t.Fatalf("a write that failed: %v", err)
	}
	wantJournal(t, dir, "1", 0)
	if j.state() == nil {
		t.Error("the failure is not shown")
	}
	must(t, j.append(first, []entry{entryOf(2, "2")}))
	wantJournal(t, dir, "1 2", 0)
	if j.state() != nil {
		t.Errorf("still shown: %v", j.state())
	}
}

func TestJournal_SaysWhenItCannotTellWhatIsOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	j, _, _, err := openJournal(dir)
	must(t, err)
	must(t, j.append(nil, []entry{entryOf(1, "1")}))
	j.file.Close()
	must(t, os.RemoveAll(dir))
	if err := j.append([]entry{entryOf(1, "1")}, []entry{entryOf(2, "2")}); !errors.Is(err, ErrUnsure) {
		t.Errorf("got %v", err)
	}
}

func TestService_KeepsADamagedJournalAsideAndSaysSo(t *testing.T) {
	dir := t.TempDir()
	whole, err := appendEntry(nil, entryOf(1, "1"))
	must(t, err)
	content := append([]byte("rubbish\n"), whole...)
	must(t, os.WriteFile(filepath.Join(dir, JournalName), content, 0o600))
	s := begin(t, openStore(t, dir), dir, nil)
	holds(t, s, "k", "1")
	if s.State().Damaged != 1 {
		t.Errorf("%+v", s.State())
	}
	kept, err := os.ReadFile(filepath.Join(dir, JournalName+".damaged"))
	if err != nil || !bytes.Equal(kept, content) {
		t.Errorf("kept aside: %q, %v", kept, err)
	}
}

func TestService_ChangesThatTheJournalRefusesAreNotMade(t *testing.T) {
	dir := t.TempDir()
	st := newWire(openStore(t, t.TempDir()))
	st.set(refuses)
	s := open(t, Options{Store: st, Dir: dir})
	put(t, s, "k", "1")
	s.journal.file.Close()
	must(t, os.Rename(dir, dir+"-gone"))
	_, err := s.Put(t.Context(), Change{Key: "k", Value: value("2"), Based: 1, Actor: "ann", Reason: "r"})
	if !errors.Is(err, ErrNotKept) && !errors.Is(err, ErrUnsure) {
		t.Errorf("got %v", err)
	}
	holds(t, s, "k", "1")
	must(t, os.Rename(dir+"-gone", dir))
	put(t, s, "k", "3")
	holds(t, open(t, Options{Store: st, Dir: dir}), "k", "3")
}

func TestService_AFullJournalRefuses(t *testing.T) {
	st := newWire(openStore(t, t.TempDir()))
	st.set(refuses)
	s := open(t, Options{Store: st, Dir: t.TempDir()})
	for i := range int64(maxJournal) {
		s.book.journal = append(s.book.journal, entryOf(i+1, "1"))
	}
	_, err := s.Put(t.Context(), Change{Key: "other", Value: value("2"), Actor: "ann", Reason: "r"})
	if !errors.Is(err, ErrNotKept) || !strings.Contains(err.Error(), "full") {
		t.Errorf("got %v", err)
	}
}

// TestService_WritersShareTheFsyncsOfTheJournal holds what many levers at once cost
// without the store.
func TestService_WritersShareTheFsyncsOfTheJournal(t *testing.T) {
	st := newWire(openStore(t, t.TempDir()))
	st.set(refuses)
	dir := t.TempDir()
	s := begin(t, st, dir, nil)
	var group sync.WaitGroup
	for w := range 50 {
		group.Go(func() {
			for range 10 {
				put(t, s, fmt.Sprint("k", w), "1")
			}
		})
	}
	group.Wait()
	again := open(t, Options{Store: st, Dir: dir})
	if got := again.State().Journal; got != 500 {
		t.Errorf("%d entries, want 500", got)
	}
	for i, e := range again.book.journal {
		if e.Seq != int64(i+1) {
			t.Fatalf("entry %d has number %d", i+1, e.Seq)
		}
	}
}

func FuzzReadEntries(f *testing.F) {
	whole, _ := appendEntry(nil, entryOf(1, `{"a":[1,null]}`))
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add([]byte("00000000 {}\n"))
	f.Add([]byte("7c9b3f4e {\"dues\":[{\"id\":\"x\"}]}\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		entries, _ := readEntries(bytes.NewReader(content))
		again, err := appendLines(entries)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		back, damaged := readEntries(bytes.NewReader(again))
		if len(back) != len(entries) || damaged != 0 {
			t.Fatalf("%d entries became %d, with %d damaged", len(entries), len(back), damaged)
		}
	})
}
