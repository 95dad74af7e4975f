package replay

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// pieceSize is how much is read from the visitor at once when memory is used up.
const pieceSize = 32 << 10

// Why says why a body could not be kept. The words are those of the metric.
type Why string

// The reasons.
const (
	Kept      Why = ""           // it could
	RouteMax  Why = "route_max"  // longer than Limits.Total
	DiskQuota Why = "disk_quota" // the disk quota is used up
	DiskError Why = "disk_error" // the disk failed, or is full
)

var (
	// ErrInterrupted is what a Reader answers once Interrupt was called.
	ErrInterrupted = errors.New("replay: reader interrupted")
	// ErrLost is what a new Reader answers when the beginning is no longer kept.
	ErrLost = errors.New("replay: beginning of the body was not kept")

	errLonger = errors.New("replay: body is longer than announced")
)

// Limits bound what is kept of one body.
type Limits struct {
	Memory int64 // bytes in memory
	Total  int64 // bytes in memory and on disk together
}

// Body is the body of one request. The source is read by one goroutine at a
// time: by Prefetch on the caller's, later by one of the Body's own, which reads
// on when a Reader has used everything. A Read of the source that waits for the
// visitor therefore never keeps an attempt from ending.
//
// The zero value is ready for Begin. Begin, Prefetch, ReadAhead, NewReader,
// Drain and Close are called by the request's goroutine; the Readers may be
// used by others.
type Body struct {
	store  *Store
	src    io.Reader
	size   int64 // as announced, -1: unknown
	limits Limits

	mu     sync.Mutex
	cond   sync.Cond // anything below has changed
	begun  bool
	blocks []*block // kept in memory, from the beginning
	inMem  int64    // bytes in blocks
	file   *os.File // what did not fit into blocks; nil: nothing
	inFile int64
	piece  *[pieceSize]byte // what was read last, if not into a block
	tail   []byte           // the part of piece in use
	tailAt int64            // its place in the body
	read   int64            // bytes read from the source
	err    error            // how the source ended
	why    Why              // why what follows is not kept
	lost   bool             // a byte has been used that is not kept

	running bool // the goroutine
	reading bool // it is in a Read of the source
	demand  bool // a Reader has used everything
	ahead   int64
	discard bool // Drain: nobody wants the bytes
	closed  bool
	ended   chan struct{}

	probe [1]byte
}

// Begin makes b the body read from src. size is the announced length, -1 if unknown.
func (b *Body) Begin(s *Store, src io.Reader, size int64, l Limits) {
	b.mu.Lock()
	b.cond.L = &b.mu
	b.store, b.src, b.size, b.limits = s, src, size, l
	b.blocks, b.inMem, b.file, b.inFile = b.blocks[:0], 0, nil, 0
	b.piece, b.tail, b.tailAt, b.read, b.err, b.why, b.lost = nil, nil, 0, 0, nil, Kept, false
	b.running, b.reading, b.demand, b.ahead, b.discard, b.closed, b.ended = false, false, false, 0, false, false, nil
	b.begun = true
	b.mu.Unlock()
}

// Prefetch reads up to n bytes (and the end, if it lies there) before anybody
// asks for them. It stops early, without error, when what was read cannot be
// kept. An error is the source's.
func (b *Body) Prefetch(n int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running {
		panic("replay: Prefetch after the body began to stream")
	}
	for b.err == nil && b.why == Kept && (b.read < n || b.read == b.size) {
		b.fetch()
	}
	if b.err != nil && b.err != io.EOF { //nolint:errorlint // readers return it bare
		return b.err
	}
	return nil
}

// ReadAhead has up to n bytes read in the background, so that a visitor who
// leaves while the request waits in a queue is noticed: net/http sees that only
// once the whole body was read.
func (b *Body) ReadAhead(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ahead = n
	b.run()
}

// NewReader returns a Reader from the body's beginning. Readers before it must
// have been interrupted, or be no longer in use. watch may be nil.
func (b *Body) NewReader(watch Watch) *Reader { return &Reader{b: b, watch: watch} }

// Replayable reports whether every byte used so far is kept.
func (b *Body) Replayable() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.lost
}

// Complete reports whether the whole body has been read from the visitor.
func (b *Body) Complete() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err == io.EOF //nolint:errorlint // readers return it bare
}

// Err is how reading from the visitor failed; nil while it did not.
func (b *Body) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == io.EOF { //nolint:errorlint // readers return it bare
		return nil
	}
	return b.err
}

// Overflow says why the body could not be kept whole; Kept if it could so far.
func (b *Body) Overflow() Why {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.why
}

// Consumed is how many bytes were read from the visitor.
func (b *Body) Consumed() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.read
}

// Drain throws away what the visitor still sends: until the end, n bytes, or d
// is over. It gives one who is still sending the time to read an early answer;
// closing on him at once would reset the connection and might take the answer
// away. No Reader may be in use.
func (b *Body) Drain(n int64, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil || !b.running {
		return
	}
	b.lose()
	b.discard = true
	limit := b.read + n
	over := false
	timer := time.AfterFunc(d, func() {
		b.mu.Lock()
		over = true
		b.cond.Broadcast()
		b.mu.Unlock()
	})
	defer timer.Stop()
	b.cond.Broadcast()
	for b.err == nil && !over && b.read < limit {
		b.cond.Wait()
	}
	b.discard = false
}

// Close frees everything. If the source is being read, unblock must make that
// Read return; Close waits for it.
func (b *Body) Close(unblock func()) {
	b.mu.Lock()
	if !b.begun {
		b.mu.Unlock()
		return
	}
	b.begun, b.closed = false, true
	b.cond.Broadcast()
	running, reading := b.running, b.reading
	b.mu.Unlock()
	if running {
		if reading && unblock != nil {
			unblock()
		}
		<-b.ended
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free()
	if b.piece != nil {
		pieces.Put(b.piece)
		b.piece, b.tail = nil, nil
	}
	b.src = nil
}

var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// run starts the goroutine that reads the source.
func (b *Body) run() {
	if b.running {
		b.cond.Broadcast()
		return
	}
	b.running, b.ended = true, make(chan struct{})
	go func() {
		defer close(b.ended)
		b.mu.Lock()
		defer b.mu.Unlock()
		for {
			for !b.closed && b.err == nil && !b.wanted() {
				b.cond.Wait()
			}
			if b.closed || b.err != nil {
				return
			}
			b.fetch()
			b.demand = false
			b.cond.Broadcast()
		}
	}()
}

// wanted reports whether somebody wants more of the source. What was read ahead
// and could not be kept must be used before there can be more.
func (b *Body) wanted() bool {
	return b.demand || b.discard || (b.why == Kept && b.ahead > 0 && (b.read < b.ahead || b.read == b.size))
}

// fetch reads once from the source. Called with the lock held; it is free during
// the Read and while the disk works.
func (b *Body) fetch() {
	p, mem := b.room()
	keep := b.why == Kept && !b.lost
	b.reading = true
	b.mu.Unlock()
	n, err := b.readSource(p)
	why := Kept
	if n > 0 && mem == nil && keep {
		why = b.spill(p[:n])
	}
	b.mu.Lock()
	b.reading = false
	switch {
	case n == 0:
	case mem != nil:
		mem.n += n
		b.inMem += int64(n)
	default:
		b.tail, b.tailAt = p[:n], b.read
		if why != Kept {
			b.why = why
		}
	}
	if b.lost {
		b.free() // lose could not, while the source was read
	}
	b.read += int64(n)
	if err != nil {
		b.err = err
	}
}

// readSource reads from the source; a panic there is an error like any other.
func (b *Body) readSource(p []byte) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, fmt.Errorf("read request body: panic: %v", r)
		}
	}()
	n, err = b.src.Read(p)
	if b.size >= 0 && b.read+int64(n) > b.size {
		return 0, errLonger
	}
	return n, err
}

// room is where the next bytes of the source go: into a block, or, with mem nil,
// into the piece.
func (b *Body) room() (p []byte, mem *block) {
	if b.size >= 0 && b.read == b.size {
		return b.probe[:], nil // only the end is missing
	}
	left := b.limits.Memory - b.inMem
	if b.why == Kept && !b.discard && b.file == nil && left > 0 && b.inMem == b.read {
		if k := len(b.blocks); k > 0 && b.blocks[k-1].n < len(b.blocks[k-1].data) {
			mem = b.blocks[k-1]
		} else if class := b.nextClass(left); b.store.memory.take(int64(blockSizes[class])) {
			mem = getBlock(class)
			b.blocks = append(b.blocks, mem)
		}
		if mem != nil {
			free := mem.data[mem.n:]
			return free[:min(int64(len(free)), left)], mem
		}
	}
	if b.piece == nil {
		b.piece = pieces.Get().(*[pieceSize]byte)
	}
	b.tail = nil // is kept, or was used: there would be no fetch otherwise
	return b.piece[:], nil
}

// nextClass is the class of the next block: just large enough for a body of known
// length, growing for one of unknown length.
func (b *Body) nextClass(left int64) int {
	if b.size >= 0 {
		return blockClass(min(b.size-b.read, left))
	}
	return min(len(b.blocks), blockClass(left))
}

// spill keeps p on disk, or says why it cannot. The lock is not held: only the
// goroutine that reads the source writes the file and counts what is kept, and
// lose frees nothing meanwhile.
func (b *Body) spill(p []byte) Why {
	n := int64(len(p))
	switch {
	case b.inMem+b.inFile+n > b.limits.Total:
		return RouteMax
	case !b.store.disk.take(n):
		return DiskQuota
	}
	if b.file == nil {
		f, err := b.store.create()
		if err != nil {
			b.store.disk.give(n)
			b.store.failed(err)
			return DiskError
		}
		b.mu.Lock()
		b.file = f
		b.mu.Unlock()
	}
	if _, err := b.file.WriteAt(p, b.inFile); err != nil {
		b.store.disk.give(n)
		b.store.failed(fmt.Errorf("write a spill file: %w", err))
		return DiskError
	}
	b.mu.Lock()
	b.inFile += n
	b.mu.Unlock()
	return Kept
}

// lose notes that a byte was used that is not kept, and frees the others.
func (b *Body) lose() {
	if b.lost {
		return
	}
	b.lost = true
	if b.reading {
		return // fetch is using a block or the file, and frees them when it is done
	}
	b.free()
}

// free gives back all that is kept.
func (b *Body) free() {
	for i, k := range b.blocks {
		b.store.memory.give(int64(len(k.data)))
		putBlock(k)
		b.blocks[i] = nil
	}
	b.blocks, b.inMem = b.blocks[:0], 0
	if b.file != nil {
		_ = b.file.Close()
		b.store.disk.give(b.inFile)
		b.file, b.inFile = nil, 0
	}
}
