//go:build race

package storeloss

// slower is how much longer than without the race detector our own work may take.
const slower = 3
