package replay

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

func open(t interface {
	Fatal(...any)
	TempDir() string
}, memory, disk int64) *Store {
	s, err := Open(Options{Memory: memory, Disk: disk, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// pattern is n bytes of which no two short stretches are equal.
func pattern(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestBody_KeepsWhatTheLimitsAllow(t *testing.T) {
	const kib = 1 << 10
	tests := []struct {
		name         string
		size         int
		announced    bool
		memory, disk int64 // of the store
		limits       Limits
		want         Why
	}{
		{"an empty body is kept", 0, false, 64 * kib, 0, Limits{64 * kib, 64 * kib}, Kept},
		{"a small body is kept in memory", 100, true, 64 * kib, 0, Limits{64 * kib, 64 * kib}, Kept},
		{"a body of exactly the memory limit needs no disk", 64 * kib, true, 64 * kib, 0, Limits{64 * kib, 64 * kib}, Kept},
		{"a small body of unknown length is kept in memory", 50 * kib, false, 128 * kib, 0, Limits{64 * kib, 64 * kib}, Kept},
		{"what memory does not take goes to disk", 300 * kib, true, 64 * kib, 512 * kib, Limits{64 * kib, 512 * kib}, Kept},
		{"without room in the global memory all goes to disk", 300 * kib, false, 0, 512 * kib, Limits{64 * kib, 512 * kib}, Kept},
		{"a body over the total limit is not kept", 600 * kib, true, 64 * kib, 2048 * kib, Limits{64 * kib, 512 * kib}, RouteMax},
		{"a body over the disk quota is not kept", 600 * kib, false, 64 * kib, 100 * kib, Limits{64 * kib, 2048 * kib}, DiskQuota},
		{"a body of exactly the total limit is kept", 512 * kib, true, 64 * kib, 2048 * kib, Limits{64 * kib, 512 * kib}, Kept},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, tt.memory, tt.disk)
			want := pattern(tt.size)
			size := int64(-1)
			if tt.announced {
				size = int64(tt.size)
			}
			var b Body
			b.Begin(s, bytes.NewReader(want), size, tt.limits)
			got, err := io.ReadAll(b.NewReader(nil))
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("first reader: %d bytes, %v; want all %d", len(got), err, len(want))
			}
			if b.Overflow() != tt.want || b.Replayable() != (tt.want == Kept) {
				t.Errorf("overflow %q, replayable %v; want %q", b.Overflow(), b.Replayable(), tt.want)
			}
			got, err = io.ReadAll(b.NewReader(nil))
			if tt.want == Kept && (err != nil || !bytes.Equal(got, want)) {
				t.Errorf("second reader: %d bytes, %v", len(got), err)
			}
			if tt.want != Kept && !errors.Is(err, ErrLost) {
				t.Errorf("second reader of a lost body: %v, want ErrLost", err)
			}
			if tt.want != Kept && s.Usage() != (Usage{}) {
				t.Errorf("a lost body still holds %+v", s.Usage())
			}
			b.Close(nil)
			if s.Usage() != (Usage{}) {
				t.Errorf("after Close the store holds %+v", s.Usage())
			}
		})
	}
}

func TestBody_PrefetchStopsWhereNothingMoreCanBeKept(t *testing.T) {
	s := open(t, 1<<20, 0)
	want := pattern(200 << 10)
	var b Body
	b.Begin(s, bytes.NewReader(want), -1, Limits{64 << 10, 100 << 10})
	if err := b.Prefetch(1 << 20); err != nil {
		t.Fatal(err)
	}
	if !b.Replayable() || b.Complete() {
		t.Fatalf("replayable %v, complete %v; want true, false", b.Replayable(), b.Complete())
	}
	for range 2 { // nothing was used beyond what is kept, so that even a second reader is fine
		r := b.NewReader(nil)
		head := make([]byte, 1000)
		if _, err := io.ReadFull(r, head); err != nil || !bytes.Equal(head, want[:1000]) {
			t.Fatal("beginning of the body is wrong", err)
		}
		r.Interrupt()
	}
	got, err := io.ReadAll(b.NewReader(nil))
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if b.Replayable() {
		t.Error("a body that streamed past its limit is replayable")
	}
	b.Close(nil)
}

func TestBody_AnInterruptedReaderLeavesTheBodyToTheNext(t *testing.T) {
	s := open(t, 1<<20, 1<<20)
	pr, pw := io.Pipe()
	var b Body
	b.Begin(s, pr, -1, Limits{64 << 10, 1 << 20})
	w := &gate{waiting: make(chan struct{}, 8)}
	first := b.NewReader(w)
	ended := make(chan error)
	go func() {
		_, err := io.ReadAll(first)
		ended <- err
	}()
	<-w.waiting
	if _, err := pw.Write([]byte("hello ")); err != nil {
		t.Fatal(err)
	}
	<-w.waiting
	first.Interrupt()
	if err := <-ended; !errors.Is(err, ErrInterrupted) {
		t.Fatalf("interrupted reader: %v", err)
	}
	if _, err := first.Read(make([]byte, 1)); !errors.Is(err, ErrInterrupted) {
		t.Errorf("a later read of an interrupted reader: %v", err)
	}
	go func() {
		_, _ = pw.Write([]byte("world"))
		_ = pw.Close()
	}()
	got, err := io.ReadAll(b.NewReader(nil))
	if err != nil || string(got) != "hello world" {
		t.Errorf("second reader: %q, %v", got, err)
	}
	b.Close(nil)
}

// gate says when a reader waits.
type gate struct{ waiting chan struct{} }

func (g *gate) Waiting()  { g.waiting <- struct{}{} }
func (g *gate) Received() {}

func TestBody_CloseUnblocksTheSource(t *testing.T) {
	s := open(t, 1<<20, 1<<20)
	pr, pw := io.Pipe()
	var b Body
	b.Begin(s, pr, -1, Limits{1 << 10, 1 << 20})
	b.ReadAhead(1 << 10)
	if _, err := pw.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	b.Close(func() { _ = pr.CloseWithError(os.ErrDeadlineExceeded) })
	if s.Usage() != (Usage{}) {
		t.Errorf("after Close the store holds %+v", s.Usage())
	}
}

func TestBody_DrainGivesUpInTime(t *testing.T) {
	s := open(t, 1<<20, 1<<20)
	tests := []struct {
		name string
		n    int64
		send int
		end  bool
		want bool // complete afterwards
	}{
		{"a body that ends is read to its end", 1 << 20, 100 << 10, true, true},
		{"a visitor who sends on and on is cut off", 64 << 10, 1 << 20, false, false},
		{"a visitor who sends nothing is cut off", 64 << 10, 0, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pr, pw := io.Pipe()
			var b Body
			b.Begin(s, pr, -1, Limits{1 << 10, 1 << 20})
			b.ReadAhead(1)
			var sender sync.WaitGroup
			sender.Go(func() {
				_, _ = pw.Write(pattern(tt.send + 1))
				if tt.end {
					_ = pw.Close()
				}
			})
			b.Drain(tt.n, 50*time.Millisecond)
			if b.Complete() != tt.want {
				t.Errorf("complete is %v", b.Complete())
			}
			b.Close(func() { _ = pr.Close() })
			_ = pr.Close()
			sender.Wait()
		})
	}
}

func TestBody_TheVisitorsErrorReachesTheReader(t *testing.T) {
	s := open(t, 1<<20, 1<<20)
	broken := errors.New("broken")
	var b Body
	b.Begin(s, io.MultiReader(bytes.NewReader([]byte("abc")), iotest.ErrReader(broken)), 10, Limits{1 << 10, 1 << 20})
	got, err := io.ReadAll(b.NewReader(nil))
	if string(got) != "abc" || !errors.Is(err, broken) || !errors.Is(b.Err(), broken) || b.Complete() {
		t.Errorf("read %q, %v; Err %v, complete %v", got, err, b.Err(), b.Complete())
	}
	b.Close(nil)
}

func TestBody_AFullDiskCostsOnlyTheRetry(t *testing.T) {
	s := open(t, 0, 1<<30)
	if err := os.RemoveAll(s.dir); err != nil { // no file can be made any more
		t.Fatal(err)
	}
	want := pattern(100 << 10)
	var b Body
	b.Begin(s, bytes.NewReader(want), int64(len(want)), Limits{1 << 10, 1 << 20})
	got, err := io.ReadAll(b.NewReader(nil))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the body did not go on: %d bytes, %v", len(got), err)
	}
	if b.Overflow() != DiskError || b.Replayable() {
		t.Errorf("overflow %q, replayable %v", b.Overflow(), b.Replayable())
	}
	b.Close(nil)
	if u := s.Usage(); u.Disk != 0 || u.Memory != 0 || u.DiskErrors != 1 {
		t.Errorf("store: %+v, want one disk error and nothing held", u)
	}
}

// script is what may happen to a body.
type script struct {
	size      int
	announced bool
	pieces    []int // sizes of the source's reads, in turn
	memory    int64 // of the store
	disk      int64
	limits    Limits
	prefetch  int
	ahead     int
	readers   []int // bytes each reader takes before it is interrupted
	chunk     int   // size of the readers' reads
}

func (sc script) run(t interface {
	Fatal(...any)
	Fatalf(string, ...any)
	TempDir() string
}, dir string) {
	s, err := Open(Options{Memory: sc.memory, Disk: sc.disk, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	want := pattern(sc.size)
	size := int64(-1)
	if sc.announced {
		size = int64(sc.size)
	}
	var b Body
	b.Begin(s, &uneven{data: want, pieces: sc.pieces}, size, sc.limits)
	if err := b.Prefetch(int64(sc.prefetch)); err != nil {
		t.Fatal(err)
	}
	if sc.ahead > 0 {
		b.ReadAhead(int64(sc.ahead))
	}
	buf := make([]byte, sc.chunk)
	for _, take := range sc.readers {
		r := b.NewReader(nil)
		var got []byte
		for len(got) < take {
			n, err := r.Read(buf)
			got = append(got, buf[:n]...)
			if err != nil {
				if err != io.EOF || len(got) != len(want) { //nolint:errorlint // set bare
					t.Fatalf("reader ended after %d of %d bytes: %v", len(got), len(want), err)
				}
				break
			}
		}
		if !bytes.Equal(got, want[:len(got)]) {
			t.Fatalf("reader got other bytes than the visitor sent, within %d", len(got))
		}
		r.Interrupt()
		if !b.Replayable() {
			break
		}
	}
	if b.Replayable() {
		got, err := io.ReadAll(b.NewReader(nil))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("last reader: %d of %d bytes, %v", len(got), len(want), err)
		}
	}
	b.Close(nil)
	if u := s.Usage(); u != (Usage{}) {
		t.Fatalf("after Close the store holds %+v", u)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Fatalf("files left: %v", left)
	}
}

// uneven is a source that gives its data in pieces of given sizes.
type uneven struct {
	data   []byte
	pieces []int
	i      int
}

func (u *uneven) Read(p []byte) (int, error) {
	if len(u.data) == 0 {
		return 0, io.EOF
	}
	n := len(p)
	if len(u.pieces) > 0 {
		n = min(n, u.pieces[u.i%len(u.pieces)])
		u.i++
	}
	n = copy(p[:n], u.data)
	u.data = u.data[n:]
	return n, nil
}

func TestBody_EveryReaderGetsTheBytesInOrder(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		sc := script{
			size:      rapid.IntRange(0, 300_000).Draw(rt, "size"),
			announced: rapid.Bool().Draw(rt, "announced"),
			pieces:    rapid.SliceOfN(rapid.IntRange(0, 40_000), 0, 5).Draw(rt, "pieces"),
			memory:    rapid.Int64Range(0, 200_000).Draw(rt, "memory"),
			disk:      rapid.Int64Range(0, 300_000).Draw(rt, "disk"),
			limits:    Limits{rapid.Int64Range(0, 100_000).Draw(rt, "limit"), rapid.Int64Range(0, 400_000).Draw(rt, "total")},
			prefetch:  rapid.IntRange(0, 100_000).Draw(rt, "prefetch"),
			ahead:     rapid.IntRange(0, 100_000).Draw(rt, "ahead"),
			readers:   rapid.SliceOfN(rapid.IntRange(0, 300_001), 0, 4).Draw(rt, "readers"),
			chunk:     rapid.IntRange(1, 50_000).Draw(rt, "chunk"),
		}
		if len(sc.pieces) > 0 {
			sc.pieces = append(sc.pieces, 1) // a source of nothing but empty reads would never end
		}
		if sc.size > 20_000 { // a reader byte by byte takes for ever
			sc.chunk = max(sc.chunk, 100)
			for i := range sc.pieces {
				sc.pieces[i] = max(sc.pieces[i], 50)
			}
		}
		sc.run(tempDirOf{rt, dir}, dir)
	})
}

type tempDirOf struct {
	*rapid.T
	dir string
}

func (t tempDirOf) TempDir() string { return t.dir }

func FuzzBody(f *testing.F) {
	f.Add(100, false, 7, uint16(50), uint16(50), uint16(20), uint16(80), 10, 0, 30, 60, 13)
	f.Add(70000, true, 0, uint16(65535), uint16(65535), uint16(65535), uint16(65535), 0, 70000, 69999, 70000, 4096)
	f.Fuzz(func(t *testing.T, size int, announced bool, piece int, memory, disk, limit, total uint16, prefetch, ahead, first, second, chunk int) {
		in := func(v, lo, hi int) int { return lo + int(uint(v)%uint(hi-lo+1)) }
		sc := script{
			size: in(size, 0, 100_000), announced: announced,
			memory: int64(memory), disk: int64(disk), limits: Limits{int64(limit), int64(total)},
			prefetch: in(prefetch, 0, 100_000), ahead: in(ahead, 0, 100_000),
			readers: []int{in(first, 0, 100_000), in(second, 0, 100_000)}, chunk: in(chunk, 16, 40_000),
		}
		if piece != 0 {
			sc.pieces = []int{in(piece, 16, 40_000)}
		}
		sc.run(t, t.TempDir())
	})
}
