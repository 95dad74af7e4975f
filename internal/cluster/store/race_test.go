//go:build race

package store_test

// slower is how much longer than without the race detector our own work may take.
const slower = 5
