package replay

import "sync"

// block is a piece of memory that holds part of a body. Blocks come from pools,
// one for each of blockSizes.
type block struct {
	data  []byte
	n     int // bytes in use
	class int
}

var blockSizes = [...]int{2 << 10, 8 << 10, 32 << 10, 64 << 10}

var blockPools = [len(blockSizes)]sync.Pool{}

// blockClass is the class of the smallest block that holds n bytes, or of the largest.
func blockClass(n int64) int {
	for c, size := range blockSizes {
		if n <= int64(size) {
			return c
		}
	}
	return len(blockSizes) - 1
}

// getBlock returns an empty block.
func getBlock(class int) *block {
	if b, ok := blockPools[class].Get().(*block); ok {
		return b
	}
	return &block{data: make([]byte, blockSizes[class]), class: class}
}

// putBlock gives b back. Nobody may hold its data afterwards.
func putBlock(b *block) {
	b.n = 0
	blockPools[b.class].Put(b)
}
