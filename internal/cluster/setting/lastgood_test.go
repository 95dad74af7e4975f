package setting

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func someBook() *book {
	b := newBook()
	at := time.Date(2021, 6, 8, 7, 0, 0, 0, time.UTC)
	b.store, b.given = "store-1", 7
	b.take([]Version{
		{Key: "a", Number: 1, Rev: 1, ID: "1", Value: value(`"<&>"`), Actor: "ann", Reason: "r", At: at, RecordedAt: at},
		{Key: "a", Number: 2, Rev: 2, ID: "2", Actor: "bob", Reason: "r", At: at, RecordedAt: at},
	})
	b.setDues([]Due{{ID: "2-revert", Key: "a", Kind: Revert, Based: 2, At: at, Value: value("1"), Actor: "ann", Reason: "r", Created: at, State: Pending}})
	return b
}

func TestLastGood_ComesBackAsItWas(t *testing.T) {
	dir := t.TempDir()
	b := someBook()
	must(t, b.snapshot("n1", time.Now()).write(dir))
	good, err := readLastGood(dir)
	must(t, err)
	if got := good.restore(); !reflect.DeepEqual(got, b) {
		t.Errorf("%+v became %+v", b, got)
	}
	info, err := os.Stat(filepath.Join(dir, LastGoodName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v, %v", info.Mode(), err)
	}
}

func TestLastGood_IsTakenWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	if _, err := readLastGood(dir); !missing(err) {
		t.Errorf("no file: %v", err)
	}
	must(t, someBook().snapshot("n1", time.Now()).write(dir))
	path := filepath.Join(dir, LastGoodName)
	content, err := os.ReadFile(path)
	must(t, err)
	for n := range len(content) - 1 {
		if _, err := parseLastGood(content[:n]); !errors.Is(err, errDamaged) {
			t.Fatalf("the first %d of %d bytes: %v", n, len(content), err)
		}
	}
	for _, text := range []string{"", "{}", "null", `{"format":2,"crc32":0,"settings":{}}`, `{"format":1,"crc32":1,"settings":{}}`} {
		if _, err := parseLastGood([]byte(text)); !errors.Is(err, errDamaged) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzParseLastGood(f *testing.F) {
	dir := f.TempDir()
	must(f, someBook().snapshot("n1", time.Now()).write(dir))
	content, err := os.ReadFile(filepath.Join(dir, LastGoodName))
	must(f, err)
	f.Add(content)
	f.Add([]byte(`{"format":1,"crc32":2745614147,"settings":{}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		good, err := parseLastGood(content)
		if err != nil {
			return
		}
		b := good.restore()
		b.all()
		b.allDues()
		b.trim()
	})
}

func TestBook_RemembersAtMostSoMuch(t *testing.T) {
	b := newBook()
	for i := range int64(keptVersions + 10) {
		b.take([]Version{{Key: "k", Number: i + 1, Rev: i + 1, ID: "x"}})
	}
	if rev, _ := b.mark(); len(b.recent) != keptVersions || rev != keptVersions+10 {
		t.Errorf("%d versions up to %d", len(b.recent), rev)
	}
	big := value(`"` + string(make([]byte, maxValue)) + `"`)
	for i := range int64(200) {
		b.take([]Version{{Key: "k", Number: keptVersions + 11 + i, Rev: keptVersions + 11 + i, ID: "x", Value: big}})
	}
	if n := len(b.recent); n > keptBytes/maxValue || n < 10 {
		t.Errorf("%d big versions", n)
	}
}
